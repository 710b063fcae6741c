"""Commands in this process, which spares the imports."""

from typing import NamedTuple

import pytest

from moodcore.cli import main


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
