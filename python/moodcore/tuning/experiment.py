"""The whole experiment: songs in, a folder with model, numbers and pictures out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.tuning import optimizers, results, run_folder, study
from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.data import Songs, Split, load, split
from moodcore.tuning.describe import describe_data, describe_preprocessing, names_of
from moodcore.tuning.folds import Fold, make_folds, preprocessing
from moodcore.tuning.run_folder import RunFolder
from moodcore.tuning.search import Listener, Search, best_of, plan
from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.settings import Settings
from moodcore.tuning.space import Space, check_values, parse
from moodcore.tuning.tasks import stop_on_interrupt

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FORMAT = "moodcore-run"
VERSION = 1


class RunFailed(RuntimeError):
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
            For unknown names and values that `MLP` refuses.
        """
        space = parse(self.settings.grid, sampler=self.settings.sampler)
        check_values(space, plan(space, self.settings) or [])
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
        Interrupted
            When stopped; finished candidates are kept in the folder.
        RunFailed
            If no candidate could be trained.
        """
        with stop_on_interrupt(self.stop):
            if self.settings.study == "optimizers":
                metrics = self._optimizers_only(folder, space, songs)
            else:
                metrics = self._whole(folder, space, songs)
        self._write_timing(folder)
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
            raise RunFailed("every candidate was pruned; choose another pruner, or more trials")
        arguments = self._arguments(space, best.params)
        refit = self._refit(parts, arguments)
        metrics = self._head(songs, parts, sha256) | {
            "preprocessing": describe_preprocessing(parts, refit.transform, self.settings),
            "search": _describe_search(space, best, found),
            "optimizers": self._compare(folder, refit, arguments),
            "model": {"parameters": _plain(arguments), "n_weights": best.n_weights},
        }
        metrics |= self._test(parts, refit)
        metrics["checks"] = results.checks(
            best,
            found,
            space,
            metrics["data"]["counts"],
            metrics["preprocessing"]["single_features"],
        )
        run_folder.write_csv(folder.trials, results.trials_table(found, space))
        run_folder.write_parquet(folder.curves, results.curves_table(found))
        self._save_model(folder, refit, metrics)
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
                    folds,
                    self.settings,
                    jobs=self.jobs,
                    stop=self.stop,
                    listener=self.listener,
                ).run()
        finally:
            study.close(opened)

    def _arguments(self, space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"epochs": self.settings.epochs} | space.decode(params)

    def _refit(self, parts: Split, arguments: Mapping[str, Any]) -> Refit:
        from moodcore import MLP, songs

        self.listener.stage("training the best candidate on the whole training part")
        seed = derive(self.settings.seed, Stream.REFIT)
        features: Any = self.settings.features
        with self._timed("refit"):
            model = songs.pipeline(
                MLP(**arguments, random_state=seed),
                features=features,
                balance=True,
                random_state=seed,
            ).fit(parts.X_train, parts.y_train)
        return _prepared(model, parts, seed)

    def _compare(
        self, folder: RunFolder, refit: Refit, arguments: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        self.listener.stage("comparing the optimizers")
        with self._timed("optimizers"):
            runs = optimizers.compare(
                refit.fold.X_train,
                refit.fold.y_train,
                arguments,
                seed=derive(self.settings.seed, Stream.OPTIMIZERS),
                jobs=self.jobs,
                stop=self.stop,
            )
        run_folder.write_parquet(folder.optimizers, optimizers.to_table(runs))
        return [
            {
                "name": run.name,
                "loss": float(run.epoch_loss[-1]),
                "accuracy": run.accuracy,
                "updates": len(run.update_loss),
            }
            for run in runs
        ]

    def _test(self, parts: Split, refit: Refit) -> dict[str, Any]:
        from moodcore.evaluation import baselines, evaluate

        self.listener.stage("testing")
        with self._timed("test"):
            names = names_of(parts.y_train)
            proba = refit.model.predict_proba(parts.X_test)
            test = evaluate(
                parts.y_test, proba, classes=np.unique(parts.y_train), class_names=names
            )
            others = baselines(
                refit.transform.transform(parts.X_train),
                parts.y_train,
                refit.transform.transform(parts.X_test),
                parts.y_test,
                rows=refit.rows,
                class_names=names,
            )
        return {
            "test": test.to_dict(),
            "baselines": {name: found.to_dict() for name, found in others.items()},
        }

    def _optimizers_only(self, folder: RunFolder, space: Space, songs: Songs) -> dict[str, Any]:
        from moodcore import MLP

        parts = split(songs, self.settings.seed)
        transform = preprocessing(self.settings).fit(parts.X_train, parts.y_train)
        seed = derive(self.settings.seed, Stream.REFIT)
        refit = _balanced(None, transform, parts, seed)
        # Choices are for a search; a comparison takes one value of each, that of `MLP`.
        arguments = {"epochs": self.settings.epochs} | space.fixed
        described = MLP(**arguments).get_params()
        return self._head(songs, parts, songs.fingerprint()) | {
            "preprocessing": describe_preprocessing(parts, transform, self.settings),
            "optimizers": self._compare(folder, refit, arguments),
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

    def _save_model(self, folder: RunFolder, refit: Refit, metrics: Mapping[str, Any]) -> None:
        from moodcore import model_file
        from moodcore.platform import versions

        provenance = {
            "versions": versions(),
            "settings": metrics["settings"],
            "source": metrics["data"]["source"],
            "synthetic": metrics["data"]["synthetic"],
            "sha256": metrics["data"]["sha256"],
            "test": metrics["test"],
        }
        model_file.save(refit.model, folder.model, provenance=provenance)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)

    def _write_timing(self, folder: RunFolder) -> None:
        from datetime import UTC, datetime

        from moodcore.platform import versions

        run_folder.write_json(
            folder.timing,
            {
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "jobs": self.jobs,
                "command": self.command,
                "seconds": self.seconds,
                "versions": versions(),
            },
        )


_SHOWN = ("hidden_sizes", "learning_rate", "momentum", "batch_size", "epochs")


@dataclass(frozen=True)
class Refit:
    """The winner on the whole training part, and the rows that it learned from.

    `rows` are the positions in the training part that balancing kept.
    """

    model: Any
    transform: Pipeline
    fold: Fold
    rows: Any


def _prepared(model: Any, parts: Split, seed: int) -> Refit:
    from sklearn.pipeline import Pipeline

    return _balanced(model, Pipeline(model.steps[:-1]), parts, seed)


def _balanced(model: Any, transform: Pipeline, parts: Split, seed: int) -> Refit:
    from moodcore.preprocessing import downsample
    from moodcore.tuning.folds import kept_columns

    rows = downsample(parts.y_train, random_state=seed).indices
    X = np.ascontiguousarray(transform.transform(parts.X_train.iloc[rows]), dtype=np.float32)
    y = parts.y_train[rows]
    fold = Fold(X, y, X[:0], y[:0], kept_columns(transform))
    return Refit(model, transform, fold, rows)


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

