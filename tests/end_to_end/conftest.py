"""Real tables, which the project does not contain."""

import os
from pathlib import Path

import pytest

# Tables beside the checkout, or where the variable says; without them the tests are skipped.
DATA = Path(
    os.environ.get("MOODCORE_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real tables."""
    if not DATA.is_dir():
        pytest.skip(f"needs real tables in {DATA} (or in MOODCORE_TEST_DATA)")
    return DATA
