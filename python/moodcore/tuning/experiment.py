"""The whole experiment: songs in, a folder with model, numbers and pictures out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moodcore._atomic import write_table
from moodcore.tuning import optimizers, results, run_folder, study
from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.data import Songs, Split, load, split
from moodcore.tuning.describe import describe_data, describe_preprocessing
from moodcore.tuning.engine import LocalEngine
from moodcore.tuning.folds import check_features, make_folds
from moodcore.tuning.importance import describe_importance
from moodcore.tuning.refit import Refit, evaluate_baselines, evaluate_test, prepare, refit, save
from moodcore.tuning.run_folder import RunFolder
from moodcore.tuning.search import Listener, Search, best_of, plan
from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.settings import Settings
from moodcore.tuning.space import Space, check_arguments, parse

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
    """

    settings: Settings
    jobs: int
    listener: Listener
    stop: threading.Event = field(default_factory=threading.Event)
    command: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def check(self) -> Space:
        """Check the hyperparameters; returns the space.

        Raises
        ------
        ConfigError
            For unknown names and values that the model refuses.
        """
        check_features(self.settings.features)
        settings = self.settings
        space = parse(settings.grid or {}, sampler=settings.sampler, model=settings.model)
        for params in plan(space, self.settings) or []:
            check_arguments(settings.family, self._arguments(space, params))
        return space

    def load(self) -> Songs:
        """Read or make the songs (see `moodcore.tuning.data.load`)."""
        with self._timed("songs"):
            return load(self.settings)

    def run(self, folder: RunFolder, space: Space, songs: Songs) -> dict[str, Any]:
        """Do the whole of it, or what is left of it, and return the metrics.

        Parameters
        ----------
        folder : RunFolder
            New, or that of an interrupted run with the same settings and songs.
        space : Space
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
        run_folder.write_json(folder.metrics, metrics)
        return metrics

    def claim(self, folder: RunFolder, songs: Songs) -> None:
        """Check that a run was begun with these settings and songs.

        Raises
        ------
        ConfigError
            If it was not; says which, and both values.
        """
        if self.settings.study == "optimizers":
            return
        opened = study.open_study(folder.study, self.settings)
        try:
            study.claim(opened, study.fingerprint(self.settings, songs.fingerprint()))
        finally:
            study.close(opened)

    def _whole(self, folder: RunFolder, space: Space, songs: Songs) -> dict[str, Any]:
        parts = split(songs, self.settings.seed)
        sha256 = songs.fingerprint()
        found = self._search(folder, space, parts, sha256)
        best = best_of(found)
        if best.state != "complete":
            raise RunFailedError(
                "every candidate was pruned; choose another pruner, or more trials"
            )
        arguments = self._arguments(space, best.params)
        trained = self._refit(parts, arguments)
        metrics = self._head(songs, parts, sha256) | {
            "preprocessing": describe_preprocessing(parts, trained.transform, self.settings),
            "search": _describe_search(space, best, found),
            "model": {"parameters": _plain(arguments), "n_weights": best.n_weights},
        }
        if self.settings.family.optimizers:
            metrics["optimizers"] = self._compare(folder, trained, arguments)
        if self.settings.family.importance:
            metrics["importance"] = self._importance(parts, arguments)
        metrics |= self._test(parts, trained)
        metrics["checks"] = results.checks(
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
        self, folder: RunFolder, space: Space, parts: Split, sha256: str
    ) -> list[CandidateResult]:
        opened = study.open_study(folder.study, self.settings)
        try:
            study.claim(opened, study.fingerprint(self.settings, sha256))
            with self._timed("folds"):
                self.listener.stage("preprocessing the folds")
                folds = make_folds(parts.X_train, parts.y_train, self.settings)
            with self._timed("search"):
                return Search(
                    opened,
                    space,
                    self.settings,
                    engine=LocalEngine(folds, self.jobs, self.stop),
                    stop=self.stop,
                    listener=self.listener,
                ).run()
        finally:
            study.close(opened)

    def _arguments(self, space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.settings.family.arguments(self.settings.epochs, space.decode(params))

    def _refit(self, parts: Split, arguments: Mapping[str, Any]) -> Refit:
        self.listener.stage("training the best candidate on the whole training part")
        with self._timed("refit"):
            return refit(parts, arguments, self.settings)

    def _importance(self, parts: Split, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self.listener.stage("asking the trees which features they use")
        with self._timed("importance"):
            return describe_importance(parts, arguments, self.settings)

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

    def _optimizers_only(self, folder: RunFolder, space: Space, songs: Songs) -> dict[str, Any]:
        from moodcore import MLP

        parts = split(songs, self.settings.seed)
        trained = prepare(parts, self.settings)
        # Choices are for a search; a comparison takes one value of each, that of `MLP`.
        arguments: dict[str, Any] = {"epochs": self.settings.epochs} | space.fixed
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


def _describe_search(
    space: Space, best: CandidateResult, found: list[CandidateResult]
) -> dict[str, Any]:
    described = {name: value for name, value in best.to_dict().items() if name != "curves"}
    return {
        "candidates": len(found),
        "complete": sum(one.state == "complete" for one in found),
        "pruned": sum(one.state == "pruned" for one in found),
        "varied": list(space.names),
        "best": described,
    }


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in arguments.items()}
