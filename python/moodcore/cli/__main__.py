"""`python -m moodcore.cli`."""

import sys

from moodcore.cli.app import main

sys.exit(main())
