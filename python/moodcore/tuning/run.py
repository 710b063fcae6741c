"""The run of `moodcore tune`: search, refit, test."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError, RunFailedError
from moodcore.files import write_table
from moodcore.runs.candidate import Candidate, CandidateResult, failed, failure
from moodcore.runs.choice import Choice, choose, default_call
from moodcore.runs.describe import describe_data
from moodcore.runs.estimate import Estimate
from moodcore.runs.families import FAMILIES, family
from moodcore.runs.folder import RunFolder
from moodcore.runs.folds import Split, split
from moodcore.runs.models import save_model
from moodcore.runs.run import Run
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.space import check_arguments
from moodcore.runs.storage import Storage
from moodcore.tuning import optimizers, results, study
from moodcore.tuning.checks import checks
from moodcore.tuning.describe import describe_importance, describe_preprocessing
from moodcore.tuning.folds import make_folds, preparation_of
from moodcore.tuning.plan import SearchSpace, n_candidates, plan, search_space
from moodcore.tuning.refit import (
    evaluate_baselines,
    evaluate_test,
    predict_test,
    prepared_rows,
    reference_preparation,
    refit,
)
from moodcore.tuning.search import Search
from moodcore.tuning.settings import ALL, TuneSettings

if TYPE_CHECKING:
    import optuna

    from moodcore.tables import Dataset

# Parameters of the network that a comparison of optimizers shows.
_SHOWN = ("hidden_sizes", "learning_rate", "momentum", "batch_size", "epochs")


class TuneRun(Run[TuneSettings]):
    """One run of `moodcore tune` (see `Run`)."""

    command = "tune"
    format = "moodcore-run"

    def check(self) -> None:
        """Check hyperparameters and metric, before data is read."""
        settings, space = self.settings, self.space()
        for name in FAMILIES if settings.model == ALL else settings.families:
            if not settings.can_measure(name):
                reason = f"metric {settings.metric} needs probabilities, which {name} does not have"
                if settings.model != ALL:
                    raise ConfigError(f"{reason}; choose another metric or model")
                self.execution.stage(f"{name} is left out: {reason}")
        for candidate in plan(space, settings):
            check_arguments(family(candidate.model), space.arguments(candidate, settings))

    def space(self) -> SearchSpace:
        """Return the families and their hyperparameters."""
        return search_space(self.settings)

    def estimate(self, dataset: Dataset) -> Estimate:
        """Return the plan, with times measured on a few epochs on one fold."""
        from moodcore.tuning.estimate import estimate

        if self.settings.study == "optimizers":
            raise ConfigError("--dry-run plans a search; --study optimizers has none")
        return estimate(self.settings, self.space(), dataset, self.execution)

    def claim(self, storage: Storage, dataset: Dataset) -> None:
        """Begin the shared study, or check that it was begun with these settings and data.

        Raises
        ------
        ConfigError
            If it was not; names what differs, with both values.
        """
        if self.settings.study != "optimizers":
            study.close(study.open_study(storage, self.settings, self.mark(dataset)))

    def work(self, dataset: Dataset) -> tuple[int, int]:
        """Train candidates of a shared study until all have results; write no files.

        Returns
        -------
        (int, int)
            Number of candidates that were trained here, and of all.

        Raises
        ------
        ConfigError
            If there is no shared study, or it was begun with other settings or data.
        RunInterruptedError
            When stopped; open candidates are given back to the study.
        """
        if self.execution.storage is None:
            raise ConfigError("a worker needs the storage of a shared study, got none")
        parts = split(dataset, self.settings.seed)
        search, found = self._search(self.execution.storage, dataset, parts)
        return search.trained, len(found)

    def measure(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Search, refit the best candidate, test it, and write tables and model."""
        parts = split(dataset, self.settings.seed)
        if self.settings.study == "optimizers":
            return self._optimizers_only(folder, dataset, parts)
        storage = self.execution.storage or Storage.of_file(folder.study)
        _, found = self._search(storage, dataset, parts)
        space = self.space()
        with self.stage("training the best candidate on all training rows", "refit"):
            choice, model = self._refit(
                found, space, lambda name, values: self._train(dataset, parts, name, values)
            )
        best = choice.best
        arguments = self._arguments(space, best)
        winner = self.settings.of(best.model)
        from sklearn.pipeline import Pipeline

        preparation = Pipeline(model.steps[:-1])
        planned = n_candidates(space, self.settings)
        metrics = self._head(dataset, parts) | {
            "complete": len(found) == planned,
            "preprocessing": describe_preprocessing(dataset, parts, preparation, winner),
            "search": results.describe_search(
                space,
                best,
                found,
                planned=planned,
                metric=self.settings.metric,
                gain=choice.describe(),
            ),
            "model": {
                "family": best.model,
                "parameters": plain(arguments),
                "n_weights": best.n_weights,
            },
        }
        if winner.family.optimizers and not winner.around_defaults:
            metrics["optimizers"] = self._compare(folder, preparation, dataset, parts, arguments)
        if winner.family.importance:
            with self.stage("computing feature importances", "importance"):
                metrics["importance"] = describe_importance(
                    dataset, parts, best.model, arguments, winner
                )
        metrics |= self._test(model, dataset, parts)
        if choice.default is not None and not choice.keeps_default:
            metrics["baselines"] |= self._test_default(choice.default.model, dataset, parts)
        metrics["checks"] = checks(
            best,
            found,
            space,
            metrics["data"]["counts"],
            metrics["preprocessing"]["single_features"],
            noun=dataset.noun,
            balanced=winner.is_balanced(dataset),
        )
        trials = results.trials_table(found, space, around_defaults=self.settings.around_defaults)
        write_table(folder.table("trials"), trials)
        write_table(folder.table("curves.parquet"), results.curves_table(found))
        write_table(folder.table("predictions.parquet"), predict_test(model, dataset, parts))
        if self.settings.refit == "all" and dataset.test is None:
            everything = replace(parts, X_train=dataset.X, y_train=dataset.y)
            with self.stage("training the final model on all rows", "final"):
                arguments = self._arguments_for_all(
                    space, best, len(dataset.y) / len(parts.y_train)
                )
                model = self._train(dataset, everything, best.model, arguments)
            metrics["model"]["refit"] = {"rows": len(dataset.y), "parameters": plain(arguments)}
        save_model(model, folder.model, {"settings": self.settings.to_dict()} | metrics)
        return metrics

    def _train(
        self, dataset: Dataset, parts: Split, model: str, arguments: Mapping[str, Any]
    ) -> Any:
        """Train a model on training rows in memory."""
        return refit(dataset, parts, model, arguments, self.settings.of(model), on_poll=self._poll)

    def _refit(
        self,
        found: list[CandidateResult],
        space: SearchSpace,
        train: Callable[[str, Mapping[str, Any]], Any],
    ) -> tuple[Choice, Any]:
        """Train the chosen candidate on all training rows, and return the choice and the model.

        `train` takes a family and the arguments of its class. A candidate that cannot be trained is
        recorded in `found` as failed, and the next best is trained instead.
        """
        metric, around_defaults = self.settings.metric, self.settings.around_defaults
        while True:
            choice = choose(found, metric, around_defaults=around_defaults)
            best = choice.best
            if best.state != "complete":
                raise RunFailedError(explain_failures(found))
            try:
                return choice, train(best.model, self._arguments(space, best))
            except (MemoryError, ConnectionError):
                # Another host may have enough memory; the choice must not depend on that, nor on
                # the scheduler of a cluster.
                raise
            except Exception as error:
                reason = failure("training on all training rows", error)
                self.execution.stage(
                    f"candidate {best.number} failed in {reason}; the next best is trained"
                )
                found[found.index(best)] = failed(
                    best.number, Candidate(best.model, best.params), reason
                )

    def _arguments_for_all(
        self, space: SearchSpace, best: CandidateResult, more: float
    ) -> dict[str, Any]:
        """Return the arguments of the chosen candidate for `more` times the training rows."""
        arguments = self._arguments(space, best)
        most = space.arguments(Candidate(best.model, best.params), self.settings)
        # More rows need more rounds, as in `combine`.
        for name, value in best.chosen.items():
            arguments[name] = min(round(value * math.sqrt(more)), most[name])
        return arguments

    def _arguments(self, space: SearchSpace, result: CandidateResult) -> dict[str, Any]:
        candidate = Candidate(result.model, result.params)
        return {**space.arguments(candidate, self.settings), **result.chosen}

    def _poll(self) -> None:
        if self.execution.stop.is_set():
            raise KeyboardInterrupt

    def _search(
        self, storage: Storage, dataset: Dataset, parts: Split
    ) -> tuple[Search, list[CandidateResult]]:
        settings = self.settings
        opened = study.open_study(storage, settings, self.mark(dataset))
        try:
            with self.stage("preprocessing the folds", "folds"):
                folds = make_folds(dataset, parts, settings, settings.families)
            return self._run_search(
                opened,
                storage,
                self.execution.executor(folds),
                lambda model, fold: (preparation_of(dataset, model), fold),
            )
        finally:
            study.close(opened)

    def _run_search(
        self,
        opened: optuna.Study,
        storage: Storage,
        executor: AbstractContextManager[Any],
        fold_key: Callable[[str, int], Any],
    ) -> tuple[Search, list[CandidateResult]]:
        """Search in an open study, with folds that the executor has by these keys."""
        execution = self.execution
        with self.timed("search"), storage.explained(), executor as started:
            search = Search(
                opened,
                self.space(),
                self.settings,
                executor=started,
                fold_key=fold_key,
                stop=execution.stop,
                listener=execution.listener,
                minutes=execution.minutes,
            )
            return search, search.run()

    def _compare(
        self,
        folder: RunFolder,
        preparation: Any,
        dataset: Dataset,
        parts: Split,
        arguments: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        with self.stage("comparing the optimizers", "optimizers"):
            runs = optimizers.compare(
                *prepared_rows(preparation, dataset, parts, self.settings),
                arguments,
                seed=derive(self.settings.seed, Stream.OPTIMIZERS),
                execution=self.execution,
            )
        write_table(folder.table("optimizers.parquet"), optimizers.to_table(runs))
        return [
            {
                "name": run.name,
                "loss": float(run.epoch_loss[-1]),
                "accuracy": run.accuracy,
                "updates": len(run.update_loss),
            }
            for run in runs
        ]

    def _test(self, model: Any, dataset: Dataset, parts: Split) -> dict[str, Any]:
        with self.stage("testing", "test"):
            test = evaluate_test(model, dataset, parts)
            preparation = reference_preparation(dataset, parts, self.settings)
            others = evaluate_baselines(preparation, dataset, parts, self.settings)
        return {
            "test": test.to_dict(),
            "baselines": {name: found.to_dict() for name, found in others.items()},
        }

    def _test_default(self, model: str, dataset: Dataset, parts: Split) -> dict[str, Any]:
        """Train the default model on all training rows and test it, for comparison."""
        name = default_call(model)
        with self.stage(f"testing {name} by default", "test of the defaults"):
            fitted = refit(
                dataset, parts, model, family(model).fixed, self.settings, on_poll=self._poll
            )
            test = evaluate_test(fitted, dataset, parts)
        return {f"{name} by default": test.to_dict()}

    def _optimizers_only(self, folder: RunFolder, dataset: Dataset, parts: Split) -> dict[str, Any]:
        from moodcore import MLP

        preparation = reference_preparation(dataset, parts, self.settings)
        # Choices are for a search; a comparison takes one value of each, that of the experiment.
        ((name, space),) = self.space().spaces.items()
        assert self.settings.epochs is not None
        arguments = family(name).arguments(self.settings.epochs, space.fixed)
        described = MLP(**arguments).get_params()
        return self._head(dataset, parts) | {
            "preprocessing": describe_preprocessing(dataset, parts, preparation, self.settings),
            "optimizers": self._compare(folder, preparation, dataset, parts, arguments),
            "model": {"parameters": plain({name: described[name] for name in _SHOWN})},
        }

    def _head(self, dataset: Dataset, parts: Split) -> dict[str, Any]:
        return {
            "study": self.settings.study,
            "data": describe_data(dataset, len(parts.y_train), len(parts.y_test)),
        }


def explain_failures(found: Sequence[CandidateResult]) -> str:
    """Return why no candidate is complete."""
    failures = [candidate for candidate in found if candidate.state == "failed"]
    if not failures:
        return "every candidate was pruned; choose another pruner, or more trials"
    first = failures[0]
    named = ", ".join(f"{name} {value}" for name, value in first.params.items())
    pruned = len(found) - len(failures)
    counts = f"{len(failures)} candidates failed, {pruned} were pruned"
    return (
        f"{counts if pruned else 'every candidate failed'}; the first, number {first.number} "
        f"({first.model}{named and ' with '}{named}), in {first.reason}"
    )


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters as JSON can hold them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in arguments.items()
    }
