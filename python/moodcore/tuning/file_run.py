"""The run of `moodcore tune` on a table in files that is read in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.errors import ConfigError
from moodcore.estimators.progress import polled
from moodcore.files import write_table
from moodcore.runs.candidate import CandidateResult
from moodcore.runs.choice import default_call
from moodcore.runs.describe import describe_data
from moodcore.runs.estimate import Estimate
from moodcore.runs.executors.threads import ThreadExecutor
from moodcore.runs.folder import RunFolder
from moodcore.runs.models import save_model
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.storage import Storage
from moodcore.tuning import results, study
from moodcore.tuning.checks import checks
from moodcore.tuning.describe import describe_preprocessing
from moodcore.tuning.file_fold import FileFold
from moodcore.tuning.file_table import FileDataset
from moodcore.tuning.plan import n_candidates
from moodcore.tuning.refit import evaluate_baselines, reference_preparation
from moodcore.tuning.run import TuneRun, plain
from moodcore.tuning.search import Search
from moodcore.tuning.settings import TuneSettings, searches_files
from moodcore.tuning.train_files import HeldOut, evaluate_on_files, fit_on_files

if TYPE_CHECKING:
    import pandas as pd

    from moodcore import GBT
    from moodcore.tables import Dataset


def tune_run(settings: TuneSettings, *arguments: Any, **named: Any) -> TuneRun:
    """Return the run for the settings: for a table in files, or in memory.

    Boosted trees are searched on files if these are a folder, a pattern, or larger than a quarter
    of the memory, unless a sample of the rows is used.
    """
    kind = FileTuneRun if searches_files(vars(settings)) else TuneRun
    return kind(settings, *arguments, **named)


class FileTuneRun(TuneRun):
    """One run of `moodcore tune` on files: one training at a time, with all threads or workers."""

    def load(self) -> Dataset:
        """Read the labels and a sample of the rows."""
        if not self.settings.around_defaults:
            raise ConfigError(
                "base must be 'defaults' for a search on a table that is read in batches, got "
                f"{self.settings.base!r}; pass --rows N to search the grid of the experiment on a "
                "sample"
            )
        with self.timed("data"):
            return FileDataset.load(self.settings)

    def estimate(self, dataset: Dataset) -> Estimate:
        """Refuse to plan: a short training would read all files."""
        raise ConfigError(
            "--dry-run measures short trainings on rows in memory; pass --rows N to plan with a "
            "sample of the rows"
        )

    def work(self, dataset: Dataset) -> tuple[int, int]:
        """Train candidates of a shared study (see `TuneRun.work`)."""
        if self.execution.storage is None:
            raise ConfigError("a worker needs the storage of a shared study, got none")
        search, found = self._search_files(self.execution.storage, dataset)
        return search.trained, len(found)

    def measure(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Search, refit the best candidate, test it, and write tables and model."""
        assert isinstance(dataset, FileDataset)
        storage = self.execution.storage or Storage.of_file(folder.study)
        _, found = self._search_files(storage, dataset)
        space, settings = self.space(), self.settings
        planned = n_candidates(space, settings)
        held = HeldOut(derive(settings.seed, Stream.REFIT))
        learned = replace(held, is_held_out=False)
        with self.stage("training the best candidate on all training rows", "refit"):
            choice, model = self._refit(
                found, space, lambda _, arguments: self._train_on(dataset, learned, arguments)
            )
        best = choice.best
        with self.stage("testing", "test"):
            test = self._evaluate(model, dataset, held)
        metrics = self._describe(dataset) | {
            "complete": len(found) == planned,
            "search": results.describe_search(
                space,
                best,
                found,
                planned=planned,
                metric=settings.metric,
                gain=choice.describe(),
            ),
            "model": {
                "family": best.model,
                "parameters": plain(self._arguments(space, best)),
                "n_weights": best.n_weights,
            },
            "importance": {"gain": _gain(model), "filtered": []},
            "test": test,
        }
        if choice.default is not None and not choice.keeps_default:
            name = default_call(choice.default.model)
            with self.stage(f"testing {name} by default", "test of the defaults"):
                default = self._train_on(dataset, learned, {})
                metrics["baselines"][f"{name} by default"] = self._evaluate(default, dataset, held)
        metrics["checks"] = checks(
            best,
            found,
            space,
            metrics["data"]["counts"],
            metrics["preprocessing"]["single_features"],
            noun=dataset.noun,
            balanced=False,
        )
        trials = results.trials_table(found, space, around_defaults=True)
        write_table(folder.table("trials"), trials)
        write_table(folder.table("curves.parquet"), results.curves_table(found))
        write_table(folder.table("predictions.parquet"), _predictions(model, dataset))
        if settings.refit == "all":
            n_train, n_test = dataset.table.counts.sum(axis=1).tolist()
            n_rows = n_train + n_test
            with self.stage("training the final model on all rows", "final"):
                arguments = self._arguments_for_all(space, best, n_rows / n_train)
                model = self._train_on(dataset, None, arguments)
            metrics["model"]["refit"] = {"rows": n_rows, "parameters": plain(arguments)}
        save_model(model, folder.model, {"settings": settings.to_dict()} | metrics)
        return metrics

    def _search_files(
        self, storage: Storage, dataset: Dataset
    ) -> tuple[Search, list[CandidateResult]]:
        assert isinstance(dataset, FileDataset)
        settings, execution, table = self.settings, self.execution, dataset.table
        opened = study.open_study(storage, settings, self.mark(dataset))
        folds = {
            ("files", fold): FileFold(table, fold, execution.jobs, execution.scheduler)
            for fold in range(settings.folds)
        }
        try:
            # One training at a time has all threads, or all workers of the cluster.
            executor = ThreadExecutor(folds, 1, execution.stop)
            return self._run_search(opened, storage, executor, lambda _, fold: ("files", fold))
        finally:
            study.close(opened)

    def _train_on(
        self, dataset: FileDataset, chosen: HeldOut | None, arguments: Mapping[str, Any]
    ) -> GBT:
        """Train a model on the chosen rows, as `moodcore train` does; None chooses all rows."""
        table = dataset.table
        rows = table.source(chosen), table.target, None
        parameters = {"random_state": derive(self.settings.seed, Stream.REFIT), **arguments}
        threads = {} if self.execution.scheduler else {"n_jobs": self.execution.jobs}
        with polled(self._poll):
            model = fit_on_files(parameters | threads, rows, self.execution.scheduler)
        # The file of the model must not depend on the number of threads.
        return model.set_params(n_jobs=type(model)().n_jobs)

    def _evaluate(self, model: GBT, dataset: FileDataset, held: HeldOut) -> dict[str, Any]:
        table = dataset.table
        return evaluate_on_files(model, table.source(held), table.target).to_dict()

    def _describe(self, dataset: FileDataset) -> dict[str, Any]:
        """Describe the data: counts of all rows, columns of the sample, and baselines on it."""
        parts, counts = dataset.sample_split(), dataset.table.counts
        preparation = reference_preparation(dataset, parts, self.settings)
        described = describe_preprocessing(dataset, parts, preparation, self.settings)
        by_class = [
            dict(zip(dataset.class_names, row.tolist(), strict=True))
            for row in (counts.sum(axis=0), counts[0])
        ]
        n_train, n_test = counts.sum(axis=1).tolist()
        data = describe_data(dataset, n_train, n_test)
        others = evaluate_baselines(preparation, dataset, parts, self.settings)
        return {
            "study": self.settings.study,
            "data": data | {"rows": n_train + n_test, "counts": by_class[0], "stratified": False},
            "preprocessing": described
            | {
                "counts_before": by_class[1],
                "counts_after": by_class[1],
                "features": list(dataset.table.features),
                "dropped": [],
            },
            "baselines": {name: found.to_dict() for name, found in others.items()},
        }


def _gain(model: GBT) -> Mapping[str, float]:
    """Return the share of each feature in the gain of all splits."""
    gains = model.importances("total_gain")
    shares = gains / gains.sum() if gains.any() else gains
    return dict(zip(map(str, model.feature_names_in_), shares.tolist(), strict=True))


def _predictions(model: GBT, dataset: FileDataset) -> pd.DataFrame:
    """Return class, prediction and probabilities of the sampled test rows."""
    import pandas as pd

    X, labels, rows = dataset.table.test_sample()
    names = np.asarray(dataset.class_names, dtype=object)
    probabilities = model.predict_proba(X)
    codes = np.searchsorted(model.classes_, labels)
    table = pd.DataFrame(
        {"row": rows, "class": names[codes], "predicted": names[probabilities.argmax(axis=1)]}
    )
    for name, column in zip(names, probabilities.T, strict=True):
        table[f"probability_{name}"] = column
    return table
