"""Options of `moodcore tune` that spread a search over processes and machines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.options import Choice

if TYPE_CHECKING:
    from moodcore.runs.storage import Storage
    from moodcore.tuning.experiment import Experiment
    from moodcore.tuning.run_folder import RunFolder

Command = TypeVar("Command", bound=Callable[..., Any])

ENGINES = ("local", "dask")
scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler for --engine dask, such as tcp://HOST:8786.",
)
engine = click.option(
    "--engine",
    type=Choice(ENGINES),
    default="local",
    help="Who works: threads of this process, or Dask workers.  [default: local]",
)
_NAMES = ("storage", "study_name", "worker", "engine", "scheduler")
# What a worker has no use for: it leaves no files, and its settings are those of the study.
_NOT_FOR_WORKERS = ("resume", "out", "config_file", "dry_run", "study")


def options(command: Command) -> Command:
    """Add the options to a command; `Machines.take` reads them."""
    for option in (
        scheduler,
        engine,
        click.option(
            "--worker",
            is_flag=True,
            help="Only train candidates of the study in --storage, with its settings.",
        ),
        click.option(
            "--study-name",
            metavar="NAME",
            help="Name of the study in --storage.  [default: moodcore]",
        ),
        click.option(
            "--storage",
            metavar="URL",
            help="Share the search with every process that names the same database, such as "
            "postgresql://USER@HOST/DATABASE.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Machines:
    """Where a search runs.

    Attributes
    ----------
    storage : Storage or None
        Database that the study is shared in.
    scheduler : str or None
        Of Dask workers that train.
    worker : bool
        Whether this process only trains for others.
    """

    storage: Storage | None
    scheduler: str | None
    worker: bool

    @classmethod
    def take(cls, given: dict[str, Any], others: dict[str, Any]) -> Machines:
        """Take the options out of `given` and check them.

        Parameters
        ----------
        given : dict
            All options of the command that are not in `others`; those of `options` are removed.
        others : dict
            Options that do not go with all of these, and `resume`, whose folder may name the
            storage.
        """
        from moodcore.runs.storage import DEFAULT_NAME, Storage

        found = {name: given.pop(name) for name in _NAMES}
        kept = _kept(others["resume"]) if found["storage"] is None else {}
        url = found["storage"] or kept.get("url")
        name = found["study_name"] or kept.get("name") or DEFAULT_NAME
        for option in ("worker", "study_name"):
            if found[option] and url is None:
                raise click.UsageError(f"--{option.replace('_', '-')} needs --storage URL")
        if url and given["study"] == "optimizers":
            raise click.UsageError("--storage shares a search; --study optimizers has none")
        unused = [one for one in _NOT_FOR_WORKERS if (others | given).get(one)]
        if found["worker"] and unused:
            option = "--config" if unused[0] == "config_file" else f"--{unused[0]}"
            raise click.UsageError(f"--worker goes without {option.replace('_', '-')}")
        return cls(
            Storage.of_url(url, name) if url else None,
            chosen_scheduler(found["engine"], found["scheduler"]),
            found["worker"],
        )

    def command(self, arguments: Sequence[str]) -> str:
        """Return how the process was started, without the password of the database."""
        words = ["moodcore", *arguments]
        if self.storage is not None:
            words = [self._without_password(words, number) for number in range(len(words))]
        return shlex.join(words)

    def _without_password(self, words: list[str], number: int) -> str:
        assert self.storage is not None
        if words[number].startswith("--storage="):
            return f"--storage={self.storage.shown}"
        return self.storage.shown if words[number - 1] == "--storage" else words[number]

    def note(self, folder: RunFolder) -> None:
        """Write into the folder where its study is, so that `--resume` finds it."""
        from moodcore.runs.folder import write_json

        if self.storage is not None:
            write_json(folder.storage, {"url": self.storage.shown, "name": self.storage.name})


def _kept(resumed: Path | None) -> dict[str, Any]:
    from moodcore.runs.folder import read_json
    from moodcore.tuning.run_folder import RunFolder

    path = RunFolder(resumed).storage if resumed else None
    return read_json(path) if path and path.is_file() else {}


def chosen_scheduler(engine: str, scheduler: str | None) -> str | None:
    """Return the scheduler to use, or None for this process alone; checks its address."""
    if engine == "local":
        if scheduler is not None:
            raise click.UsageError("--scheduler goes with --engine dask")
        return None
    if scheduler is None:
        raise click.UsageError(
            "--engine dask needs --scheduler tcp://HOST:8786; `dask scheduler` starts one, and "
            "`dask worker tcp://HOST:8786` its workers. On one machine --jobs does without"
        )
    from moodcore.tuning.dask_engine import check_address

    check_address(scheduler)
    return scheduler


def work(experiment: Experiment, *, as_json: bool) -> int:
    """Train for the shared study until it is complete, and say how much was done here."""
    from moodcore.runs.tasks import RunInterruptedError

    space, songs = experiment.check(), experiment.load()
    try:
        trained, candidates = experiment.work(space, songs)
    except (RunInterruptedError, KeyboardInterrupt):
        click.echo("interrupted; open candidates went back to the study.", err=True)
        return ExitCode.INTERRUPTED
    if as_json:
        counts = {"trained": trained, "candidates": candidates}
        click.echo(json.dumps({"format": "moodcore-worker", "version": 1} | counts))
    else:
        click.echo(f"the study is complete: {candidates} candidates, {trained} of them from here")
    return ExitCode.DONE
