"""Real tables, which the project does not contain, and commands in this process."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from moodcore.cli import main

# Tables beside the checkout, or where the variable says; without them the tests are skipped.
DATA = Path(
    os.environ.get("MOODCORE_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def moodcore(capsys):
    """Run a command here; returns its exit code and output."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(word) for word in arguments])
        return Done(int(code), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real tables."""
    if not DATA.is_dir():
        pytest.skip(f"needs real tables in {DATA} (or in MOODCORE_TEST_DATA)")
    return DATA
