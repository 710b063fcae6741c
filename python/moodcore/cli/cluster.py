"""The scheduler of `--engine dask`."""

from __future__ import annotations

import click


def chosen_scheduler(engine: str, scheduler: str | None) -> str | None:
    """Return the scheduler to use, or None for this process alone; checks its address."""
    if engine == "local":
        if scheduler is not None:
            raise click.UsageError("--scheduler needs --engine dask")
        return None
    if scheduler is None:
        raise click.UsageError(
            "--engine dask needs --scheduler tcp://HOST:8786; `dask scheduler` starts one, and "
            "`dask worker tcp://HOST:8786` its workers. On one host use --jobs instead"
        )
    from moodcore.runs.executors.dask import check_address

    check_address(scheduler)
    return scheduler
