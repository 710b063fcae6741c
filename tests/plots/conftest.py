import sys
from pathlib import Path

# `readable` is a plain module beside its tests.
sys.path.insert(0, str(Path(__file__).parent))
