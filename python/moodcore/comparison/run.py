"""The run of `moodcore compare`: train all models on the same rows, test, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moodcore.comparison.checks import checks
from moodcore.comparison.models import Model, candidates, make_models
from moodcore.comparison.output import Output
from moodcore.comparison.results import Results
from moodcore.comparison.settings import DEFAULT_SONGS, MODELS, CompareSettings
from moodcore.comparison.training import Task, Training, TrainingJob
from moodcore.errors import ConfigError, RunFailedError
from moodcore.files import write_bytes, write_table
from moodcore.runs.carry_out import carry_out
from moodcore.runs.data import load
from moodcore.runs.describe import describe_data, with_ids
from moodcore.runs.estimate import Estimate
from moodcore.runs.families import family
from moodcore.runs.folder import RunFolder
from moodcore.runs.models import named_models
from moodcore.runs.run import Execution, Run
from moodcore.runs.space import check_arguments
from moodcore.runs.store import FolderStore

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

# Tables that are also in the metrics.
_IN_METRICS = (
    "summary", "test", "pairs", "scores", "learning_curves", "calibration", "chosen", "failures",
    "warnings",
)  # fmt: skip
_FILES = (
    "summary", "scores", "test", "pairs", "learning_curves", "calibration", "precision_recall",
    "chosen", "times",
)  # fmt: skip


class CompareRun(Run[CompareSettings]):
    """One run of `moodcore compare` (see `Run`).

    Parameters
    ----------
    settings, execution, table, y
        As for `Run`.
    models : mapping of str to str or classifier, optional
        Families or classifiers by name, instead of the families that the settings name.
    class_names : sequence of str, optional
        A name for each class, instead of those of the data.
    """

    command = "compare"
    format = "moodcore-comparison"

    def __init__(
        self,
        settings: CompareSettings,
        execution: Execution | None = None,
        *,
        table: Any = None,
        y: Any = None,
        models: Mapping[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(settings, execution, table=table, y=y)
        self._given = models
        self._class_names = class_names

    def check(self) -> None:
        """Check the families and their hyperparameters, before data is read."""
        for name in self._named().values():
            if isinstance(name, str):
                for arguments in self._arguments(name):
                    check_arguments(family(name), arguments)

    def _arguments(self, name: str) -> list[dict[str, Any]]:
        """Return all hyperparameters with which a family is trained."""
        settings = self.settings
        if not settings.tune:
            return [settings.arguments(name)]
        tried = candidates(settings, name)
        if settings.around_defaults:
            kind = family(name)
            return [kind.arguments_around_defaults(params, settings.epochs) for params in tried]
        return [settings.arguments(name) | params for params in tried]

    def _named(self) -> Mapping[str, Any]:
        return self._given or named_models(self._families(), MODELS)

    def _families(self) -> list[str]:
        # In the order of the tables, whatever the order of the settings.
        models = self.settings.models
        return sorted(models, key=lambda name: MODELS.index(name) if name in MODELS else 0)

    def load(self) -> Dataset:
        """Read or make the data set: 40,000 of the embedded songs by default."""
        settings = self.settings
        embedded = settings.data is None and self._table is None
        if embedded and settings.rows is None:
            settings = replace(settings, rows=DEFAULT_SONGS)
        with self.timed("data"):
            dataset = load(settings, self._table, self._y)
        if self._class_names is None:
            return dataset
        names = tuple(map(str, self._class_names))
        if len(names) != len(dataset.class_names):
            raise ConfigError(
                f"class_names must have one name per class ({len(dataset.class_names)}), "
                f"got {len(names)}"
            )
        return replace(dataset, class_names=names)

    def models(self, dataset: Dataset) -> list[Model]:
        """Return the models, not fitted."""
        return make_models(self.settings, self._named(), dataset)

    def estimate(self, dataset: Dataset) -> Estimate:
        """Return the plan, with times measured on small parts of the rows."""
        from moodcore.comparison.estimate import estimate

        task = Task.of(dataset, self.settings)
        return estimate(dataset, task, self.models(dataset), self.execution)

    def measure(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Train what is missing, and write tables and models."""
        task, models = Task.of(dataset, self.settings), self.models(dataset)
        results = self._train(folder, task, models, dataset.class_names)
        if len(results.unusable) == len(models):
            failure = results.failures.iloc[0]
            raise RunFailedError(f"no model could be trained: {failure['model']}: {failure['why']}")
        self.execution.stage("computing the tables")
        data = describe_data(dataset, len(task.y), len(task.y_test))
        _write(folder, results, dataset)
        return {
            "complete": len(results.trained) == results.planned,
            "data": data,
            "classes": results.class_names,
            "train_rows": len(task.y),
            "test_rows": len(task.y_test),
            "test_train_ratio": task.test_train_ratio,
            **{name: _records(getattr(results, name)) for name in _IN_METRICS},
            "confusion": {name: matrix.tolist() for name, matrix in results.confusion.items()},
            "agreement": results.agreement.to_dict(),
            "disputed": int(results.disputed.sum()),
            "members": [model.name for model in results.members],
            "best": best_model(results).name,
            "checks": checks(results, data["counts"], dataset.noun),
        }

    def _train(
        self, folder: RunFolder, task: Task, models: Sequence[Model], class_names: Sequence[str]
    ) -> Results:
        by_key = {model.key: model for model in models}

        def describe(job: TrainingJob, output: Output) -> str:
            training = job.training
            name = f"{by_key[training.model].name}, {training}"
            if output.failure is not None:
                return f"{name}: failed: {output.failure}"
            return f"{name}: accuracy {(output.labels == task.scored(training)).mean():.4f}"

        trainings = sorted(task.trainings(models), key=_urgency)
        jobs = [TrainingJob(training, by_key[training.model].estimator) for training in trainings]
        store = FolderStore(folder.results, Output.to_bytes, Output.from_bytes, ".npz")
        with (
            self.timed("trainings"),
            self.execution.executor({"rows": task}, processes=True) as executor,
        ):
            outputs = carry_out(
                jobs,
                store,
                executor,
                self.execution.listener,
                unit="trainings",
                describe=describe,
                minutes=self.execution.minutes,
                enough=lambda outputs: Results(task, models, outputs, class_names).is_enough,
            )
        return Results(task, models, outputs, class_names)


def best_model(results: Results) -> Model:
    """Return the most accurate model over the folds; baselines and combinations are none."""
    usable = [model for model in results.models if model.name not in results.unusable]
    return next((model for model in usable if model.kind == "model"), usable[0])


def _urgency(training: Training) -> int:
    """Return the place of a training: first those without which there is no result."""
    if training.stage == "fold" and training.repeat == 0 and training.fold < 2:
        return 0
    return 1 if training.stage == "test" else 2


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping per row, with None for what is missing."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _write(folder: RunFolder, results: Results, dataset: Dataset) -> None:
    tables = {name: getattr(results, name) for name in _FILES}
    tables["confusion"] = results.confusion_table
    for name in ("predictions", "disagreements"):
        tables[name] = with_ids(getattr(results, name), dataset)
    for name, table in tables.items():
        write_table(folder.table(name), table)
    folder.models.mkdir(exist_ok=True)
    for model in results.models:
        if model.is_trained and (content := results.tested(model).model) is not None:
            write_bytes(folder.models / f"{model.key}.safetensors", content)
