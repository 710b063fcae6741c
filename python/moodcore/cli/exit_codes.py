"""What the exit code of a command means."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes; 130 is what a shell gives a command ended by Ctrl-C."""

    DONE = 0
    RUN_FAILED = 1
    USAGE_ERROR = 2
    #: All was done but for rows or files that could not be used; they are listed.
    SOME_REJECTED = 3
    INTERRUPTED = 130
