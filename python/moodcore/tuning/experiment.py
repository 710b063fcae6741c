"""The whole experiment: songs in, a folder with model, numbers and pictures out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moodcore.errors import ConfigError
from moodcore.files import write_table
from moodcore.runs.data import Songs, Split, load, split
from moodcore.runs.families import family
from moodcore.runs.folder import write_json
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.space import check_arguments
from moodcore.runs.storage import Storage
from moodcore.songs.features import check_features
from moodcore.tuning import optimizers, results, study
from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.checks import checks
from moodcore.tuning.describe import describe_data, describe_preprocessing
from moodcore.tuning.engine import open_engine
from moodcore.tuning.folds import make_folds
from moodcore.tuning.importance import describe_importance
from moodcore.tuning.plan import Candidate, SearchSpace, n_candidates, plan, search_space
from moodcore.tuning.refit import Refit, evaluate_baselines, evaluate_test, prepare, refit, save
from moodcore.tuning.run_folder import RunFolder
from moodcore.tuning.search import Listener, Search
from moodcore.tuning.settings import Settings

FORMAT = "moodcore-run"
VERSION = 1


class RunFailedError(RuntimeError):
    """The run could not be brought to its end, though nothing was wrong with the request."""


@dataclass
class Experiment:
    """One run.

    Parameters
    ----------
    settings : Settings
        What to do.
    jobs : int
        Threads; changes nothing but the time.
    listener : Listener
        Whoever shows progress.
    stop : threading.Event
        Set to end the run; set by Ctrl-C too.
    command : str
        How the run was started, for the report.
    storage : Storage or None
        Database with a study that other processes work on too; None means a file of the run
        folder.
    scheduler : str or None
        Address of a Dask scheduler whose workers train the candidates; None means `jobs`
        threads of this process.
    minutes : float or None
        Time for the search (see `moodcore.tuning.search.Search`); None means no end.
    """

    settings: Settings
    jobs: int
    listener: Listener
    stop: threading.Event = field(default_factory=threading.Event)
    command: str = ""
    storage: Storage | None = None
    scheduler: str | None = None
    minutes: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def check(self) -> SearchSpace:
        """Check the hyperparameters; returns the space.

        Raises
        ------
        ConfigError
            For unknown names and values that the model refuses.
        """
        check_features(self.settings.features)
        space = search_space(self.settings)
        for candidate in plan(space, self.settings) or []:
            arguments = space.arguments(candidate, self.settings)
            check_arguments(family(candidate.model), arguments)
        return space

    def load(self) -> Songs:
        """Read or make the songs (see `moodcore.runs.data.load`)."""
        with self._timed("songs"):
            return load(self.settings)

    def run(self, folder: RunFolder, space: SearchSpace, songs: Songs) -> dict[str, Any]:
        """Do the whole of it, or what is left of it, and return the metrics.

        Parameters
        ----------
        folder : RunFolder
            New, or that of an interrupted run with the same settings and songs.
        space : SearchSpace
            From `check`.
        songs : Songs
            From `load`.

        Raises
        ------
        ConfigError
            If the folder's run was begun with other settings or songs.
        RunInterruptedError
            When stopped; finished candidates are kept in the folder.
        RunFailedError
            If no candidate could be trained.
        """
        if self.settings.study == "optimizers":
            metrics = self._optimizers_only(folder, space, songs)
        else:
            metrics = self._whole(folder, space, songs)
        folder.write_timing(jobs=self.jobs, command=self.command, seconds=self.seconds)
        write_json(folder.metrics, metrics)
        return metrics

    def reach(self) -> None:
        """Check, before anything is read, that database and scheduler answer.

        Raises
        ------
        ConnectionError
            If one does not within seconds; says what to start.
        """
        if self.storage is not None:
            self.storage.connect().engine.dispose()
        if self.scheduler is not None:
            from moodcore.tuning.dask_engine import check_scheduler

            check_scheduler(self.scheduler)

    def claim(self, storage: Storage, songs: Songs) -> None:
        """Begin the study there, or check that it was begun with these settings and songs.

        Raises
        ------
        ConfigError
            If it was not; says which, and both values.
        """
        if self.settings.study == "optimizers":
            return
        mark = study.fingerprint(self.settings, songs.fingerprint())
        study.close(study.open_study(storage, self.settings, mark))

    def storage_for(self, folder: RunFolder) -> Storage:
        """Return where the study of a run is: in the shared database, or in its folder."""
        return self.storage or Storage.of_file(folder.study)

    def work(self, space: SearchSpace, songs: Songs) -> tuple[int, int]:
        """Train candidates of a shared study until all have results; write no files.

        Parameters
        ----------
        space : SearchSpace
            From `check`.
        songs : Songs
            From `load`.

        Returns
        -------
        (int, int)
            How many candidates were trained here, and how many there are.

        Raises
        ------
        ConfigError
            If there is no shared study, or it was begun with other settings or songs.
        RunInterruptedError
            When stopped; open candidates are given back to the study.
        """
        if self.storage is None:
            raise ConfigError("a worker needs a storage that it shares with others, got none")
        parts = split(songs, self.settings.seed)
        search, found = self._search(self.storage, space, parts, songs.fingerprint())
        return search.trained, len(found)

    def _whole(self, folder: RunFolder, space: SearchSpace, songs: Songs) -> dict[str, Any]:
        parts = split(songs, self.settings.seed)
        sha256 = songs.fingerprint()
        _, found = self._search(self.storage_for(folder), space, parts, sha256)
        best = results.best_of(found)
        if best.state != "complete":
            raise RunFailedError(_nothing_found(found))
        winner = self.settings.of(best.model)
        arguments = space.arguments(Candidate(best.model, best.params), self.settings)
        trained = self._refit(parts, arguments, winner)
        metrics = self._head(songs, parts, sha256) | {
            "preprocessing": describe_preprocessing(parts, trained.transform, winner),
            "search": results.describe_search(
                space, best, found, planned=n_candidates(space, self.settings)
            ),
            "model": {
                "family": best.model,
                "parameters": _plain(arguments),
                "n_weights": best.n_weights,
            },
        }
        if winner.family.optimizers:
            metrics["optimizers"] = self._compare(folder, trained, arguments)
        if winner.family.importance:
            metrics["importance"] = self._importance(parts, arguments, winner)
        metrics |= self._test(parts, trained)
        metrics["checks"] = checks(
            best,
            found,
            space,
            metrics["data"]["counts"],
            metrics["preprocessing"]["single_features"],
        )
        write_table(folder.trials, results.trials_table(found, space))
        write_table(folder.curves, results.curves_table(found))
        save(trained, folder.model, metrics)
        return metrics

    def _search(
        self, storage: Storage, space: SearchSpace, parts: Split, sha256: str
    ) -> tuple[Search, list[CandidateResult]]:
        opened = study.open_study(storage, self.settings, study.fingerprint(self.settings, sha256))
        try:
            with self._timed("folds"):
                self.listener.stage("preprocessing the folds")
                folds = make_folds(parts.X_train, parts.y_train, self.settings)
            with (
                self._timed("search"),
                storage.explained(),
                open_engine(
                    folds, self.jobs, self.stop, self.scheduler, self.listener.stage
                ) as engine,
            ):
                search = Search(
                    opened,
                    space,
                    self.settings,
                    engine=engine,
                    stop=self.stop,
                    listener=self.listener,
                    minutes=self.minutes,
                )
                return search, search.run()
        finally:
            study.close(opened)

    def _refit(self, parts: Split, arguments: Mapping[str, Any], winner: Settings) -> Refit:
        self.listener.stage("training the best candidate on the whole training part")
        with self._timed("refit"):
            return refit(parts, arguments, winner)

    def _importance(
        self, parts: Split, arguments: Mapping[str, Any], winner: Settings
    ) -> dict[str, Any]:
        self.listener.stage("asking the trees which features they use")
        with self._timed("importance"):
            return describe_importance(parts, arguments, winner)

    def _compare(
        self, folder: RunFolder, trained: Refit, arguments: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        self.listener.stage("comparing the optimizers")
        with self._timed("optimizers"):
            runs = optimizers.compare(
                trained.X,
                trained.y,
                arguments,
                seed=derive(self.settings.seed, Stream.OPTIMIZERS),
                jobs=self.jobs,
                stop=self.stop,
            )
        write_table(folder.optimizers, optimizers.to_table(runs))
        return [
            {
                "name": run.name,
                "loss": float(run.epoch_loss[-1]),
                "accuracy": run.accuracy,
                "updates": len(run.update_loss),
            }
            for run in runs
        ]

    def _test(self, parts: Split, trained: Refit) -> dict[str, Any]:
        self.listener.stage("testing")
        with self._timed("test"):
            test = evaluate_test(trained, parts)
            others = evaluate_baselines(trained, parts)
        return {
            "test": test.to_dict(),
            "baselines": {name: found.to_dict() for name, found in others.items()},
        }

    def _optimizers_only(
        self, folder: RunFolder, space: SearchSpace, songs: Songs
    ) -> dict[str, Any]:
        from moodcore import MLP

        parts = split(songs, self.settings.seed)
        trained = prepare(parts, self.settings)
        # Choices are for a search; a comparison takes one value of each, that of `MLP`.
        (alone,) = space.spaces.values()
        arguments: dict[str, Any] = {"epochs": self.settings.epochs} | alone.fixed
        described = MLP(**arguments).get_params()
        return self._head(songs, parts, songs.fingerprint()) | {
            "preprocessing": describe_preprocessing(parts, trained.transform, self.settings),
            "optimizers": self._compare(folder, trained, arguments),
            "model": {"parameters": _plain({n: described[n] for n in _SHOWN if n in described})},
        }

    def _head(self, songs: Songs, parts: Split, sha256: str) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "study": self.settings.study,
            "settings": self.settings.to_dict(),
            "data": describe_data(songs, parts, sha256),
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)


_SHOWN = ("hidden_sizes", "learning_rate", "momentum", "batch_size", "epochs")


def _nothing_found(found: list[CandidateResult]) -> str:
    """Say why no candidate is complete."""
    failures = [one for one in found if one.state == "failed"]
    if not failures:
        return "every candidate was pruned; choose another pruner, or more trials"
    first = failures[0]
    named = ", ".join(f"{name} {value}" for name, value in first.params.items())
    pruned = len(found) - len(failures)
    how_many = f"{len(failures)} candidates failed, {pruned} were pruned"
    return (
        f"{how_many if pruned else 'every candidate failed'}; the first, number {first.number} "
        f"({first.model}{named and ' with '}{named}), in {first.reason}"
    )


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in arguments.items()}
