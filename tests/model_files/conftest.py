import sys
from pathlib import Path

# What stands beside the tests here is imported by its name.
sys.path.insert(0, str(Path(__file__).parent))
