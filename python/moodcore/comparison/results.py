"""The results of a comparison as tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.comparison.curves import calibration_table, precision_recall_table
from moodcore.comparison.models import Model
from moodcore.comparison.output import METRICS, Output, scores, vote
from moodcore.comparison.pairs import compare_pairs
from moodcore.comparison.training import Task, Training
from moodcore.runs.statistics import resampled_interval

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """The tables of a comparison; models are in the order of their accuracy over the folds.

    Where a time limit left trainings out, only the folds and the points of learning curves for
    which all models have an output are used.
    """

    def __init__(
        self,
        task: Task,
        models: Sequence[Model],
        outputs: Mapping[str, Output],
        class_names: Sequence[str],
    ) -> None:
        self.task = task
        self.class_names = list(class_names)
        self._models = list(models)
        self._trained = [model for model in models if model.is_trained]
        self.members = [model for model in models if model.is_member]
        planned = task.trainings(models)
        self.planned = len(planned)
        self.trained = {t: outputs[t.key] for t in planned if t.key in outputs}
        self._outputs = dict(self.trained)
        for model in models:
            if not model.is_trained:
                self._add_votes(model)

    def _add_votes(self, model: Model) -> None:
        for training in list(self._outputs):
            voted = training.of(model)
            if voted not in self._outputs and self._has(training, self.members):
                self._outputs[voted] = vote([self._outputs[training.of(m)] for m in self.members])

    def _has(self, training: Training, models: Iterable[Model]) -> bool:
        return all(training.of(model) in self._outputs for model in models)

    @cached_property
    def folds(self) -> list[Training]:
        """The folds, of any model, in which all models were trained."""
        settings = self.task.settings
        folds = [
            Training("", "fold", repeat, fold)
            for repeat in range(settings.repeats)
            for fold in range(settings.folds)
        ]
        return [fold for fold in folds if self._has(fold, self._trained)]

    @property
    def is_enough(self) -> bool:
        """Whether every model was tested and trained in at least two common folds."""
        return len(self.folds) > 1 and self._has(Training("", "test"), self._trained)

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of the models by key."""
        return {model.key: model.name for model in self._models}

    @cached_property
    def models(self) -> list[Model]:
        """The models, the most accurate over the folds first, those that failed last."""
        mean = self.scores.groupby("model", sort=False)["accuracy"].mean()

        def rank(model: Model) -> tuple[bool, float]:
            return model.name in self.unusable, -float(mean[model.name])

        return sorted(self._models, key=rank)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per model, repeat and fold, with the metrics."""
        import pandas as pd

        rows = []
        for model in self._models:
            for fold in self.folds:
                output, codes = self._outputs[fold.of(model)], self.task.scored(fold)
                values = scores(codes, output, len(self.class_names))
                place = {"model": model.name, "repeat": fold.repeat + 1, "fold": fold.fold + 1}
                rows.append(place | values)
        return pd.DataFrame(rows)

    @cached_property
    def failures(self) -> pd.DataFrame:
        """One row per failed training, with the reason."""
        return _frame(
            ("model", "where", "why"),
            [
                (self.names[training.model], str(training), output.failure)
                for training, output in self._outputs.items()
                if output.failure is not None
            ],
        )

    @cached_property
    def unusable(self) -> frozenset[str]:
        """Names of models that cannot be compared: training in a fold or for the test failed."""
        return frozenset(
            self.names[training.model]
            for training, output in self._outputs.items()
            if output.failure is not None and training.stage != "curve"
        )

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per model: mean and interval of each metric, and the size of its file."""
        import pandas as pd

        rows = []
        for model in self.models:
            row: dict[str, Any] = {"model": model.name, "key": model.key, "kind": model.kind}
            of_model = self.scores[self.scores["model"] == model.name]
            for name, (low, high) in METRICS.items():
                interval = resampled_interval(of_model[name], self.task.test_train_ratio)
                # In this order, because all three are NaN where a score is.
                row[name] = interval.mean
                row[f"{name}_low"] = max(interval.low, low)
                row[f"{name}_high"] = min(interval.high, high)
            rows.append(row | {"model_bytes": self._size(model)})
        return pd.DataFrame(rows).astype({"model_bytes": "Int64"})

    def _size(self, model: Model) -> int | None:
        parts = [model] if model.is_trained else self.members
        files = [self.tested(part).model for part in parts]
        return None if None in files else sum(len(file) for file in files if file is not None)

    def tested(self, model: Model) -> Output:
        """Return the output of a model for the test rows."""
        return self._outputs[Training(model.key, "test")]

    def _tested(self) -> dict[str, Output]:
        """Return the outputs for the test rows, but for those that failed, by name."""
        outputs = {model.name: self.tested(model) for model in self.models}
        return {name: output for name, output in outputs.items() if output.failure is None}

    @cached_property
    def test(self) -> pd.DataFrame:
        """One row per model: the metrics on the test rows."""
        import pandas as pd

        codes = self.task.test_codes
        return pd.DataFrame(
            [
                {"model": model.name, "rows": len(codes)}
                | scores(codes, self.tested(model), len(self.class_names))
                for model in self.models
            ]
        )

    @cached_property
    def times(self) -> pd.DataFrame:
        """One row per model: mean seconds of training and of predicting in a fold."""
        scored = len(self.task.y) / self.task.settings.folds
        rows = []
        for model in self.models:
            outputs = [self._outputs[fold.of(model)] for fold in self.folds]
            fit = float(np.mean([output.fit_seconds for output in outputs]))
            predict = float(np.mean([output.predict_seconds for output in outputs]))
            rate = scored / predict if predict > 0 else math.nan
            rows.append((model.name, fit, predict, rate))
        return _frame(("model", "fit_seconds", "predict_seconds", "rows_per_second"), rows)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row per pair of models, the more accurate first, with both tests."""
        by_name = self.scores.groupby("model")["accuracy"]
        accuracies = {str(name): values.to_numpy() for name, values in by_name}
        tested = self._tested()
        usable = [model.name for model in self.models if model.name not in self.unusable]
        correct = {name: tested[name].labels == self.task.test_codes for name in usable}
        return compare_pairs(
            usable,
            accuracies,
            correct,
            self.task.test_train_ratio,
            step=self.task.settings.folds / len(self.task.y),
        )

    @cached_property
    def learning_curves(self) -> pd.DataFrame:
        """One row per model and number of training rows: mean and range over the folds."""
        sizes, last = self.task.curve_sizes, len(self.task.curve_sizes) - 1
        points = {}
        for place, size in enumerate(sizes):
            point = [
                Training("", "fold", 0, fold)
                if place == last
                else Training("", "curve", 0, fold, place)
                for fold in range(self.task.curve_folds)
            ]
            if all(self._has(training, self._trained) for training in point):
                points[size] = point
        if len(points) < 2:
            points = {}
        rows = []
        for model in self.models:
            for size, point in points.items():
                values = [self._accuracy(training.of(model)) for training in point]
                rows.append((model.name, size, float(np.mean(values)), min(values), max(values)))
        return _frame(("model", "rows", "accuracy", "low", "high"), rows)

    def _accuracy(self, training: Training) -> float:
        output = self._outputs[training]
        if output.failure is not None:
            return math.nan
        return float((output.labels == self.task.scored(training)).mean())

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """One row per model and bin of confidence with test rows in it."""
        return calibration_table(self._tested(), self.task.test_codes)

    @cached_property
    def precision_recall(self) -> pd.DataFrame:
        """One row per model, class and point of its curve on the test rows."""
        return precision_recall_table(self._tested(), self.task.test_codes, self.class_names)

    @cached_property
    def confusion(self) -> Mapping[str, NDArray[np.int64]]:
        """Confusion matrices on the test rows, `[true][predicted]`, by model."""
        from sklearn.metrics import confusion_matrix

        classes = np.arange(len(self.class_names))
        return {
            name: confusion_matrix(self.task.test_codes, output.labels, labels=classes)
            for name, output in self._tested().items()
        }

    @property
    def confusion_table(self) -> pd.DataFrame:
        """One row per model, true class and predicted class: the number of test rows."""
        rows = [
            (name, true, predicted, int(matrix[i, j]))
            for name, matrix in self.confusion.items()
            for i, true in enumerate(self.class_names)
            for j, predicted in enumerate(self.class_names)
        ]
        return _frame(("model", "class", "predicted", "rows"), rows)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Share of the test rows for which two models predict the same class."""
        labels = {name: output.labels for name, output in self._tested().items()}
        shares = [[float((a == b).mean()) for b in labels.values()] for a in labels.values()]
        table = _frame(tuple(labels), shares)
        table.index = table.columns
        return table

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per test row: its place in the table, its class, and the predictions."""
        import pandas as pd

        names = np.asarray(self.class_names, dtype=object)
        columns: dict[str, Any] = {
            "row": self.task.X_test.index,
            "class": names[self.task.test_codes],
        }
        for name, output in self._tested().items():
            columns[name] = names[output.labels]
            if output.probabilities is not None:
                rows = np.arange(len(output.labels))
                columns[f"{name} (probability)"] = output.probabilities[rows, output.labels]
        return pd.DataFrame(columns)

    @cached_property
    def disputed(self) -> NDArray[np.bool_]:
        """Whether models, without baselines and combination, disagree on a test row."""
        labels = [self._tested()[name].labels for name in self._compared]
        if not labels:
            return np.zeros(len(self.task.y_test), dtype=bool)
        return np.any(np.array(labels) != labels[0], axis=0)

    @property
    def _compared(self) -> list[str]:
        tested = self._tested()
        return [m.name for m in self.models if m.kind == "model" and m.name in tested]

    @cached_property
    def disagreements(self) -> pd.DataFrame:
        """The test rows on which the models disagree, those with most answers first."""
        import pandas as pd

        predicted = self.predictions[self.disputed].reset_index(drop=True)
        answers = predicted[self._compared].nunique(axis=1)
        values = self.task.X_test[self.disputed].reset_index(drop=True)
        predicted.insert(2, "answers", answers)
        order = answers.sort_values(ascending=False, kind="stable").index
        return pd.concat([predicted, values], axis=1).loc[order].reset_index(drop=True)

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """One row per inner search: the hyperparameters that it chose, as JSON."""
        return _frame(
            ("model", "where", "chosen"),
            [
                (self.names[t.model], str(t), json.dumps(output.chosen, sort_keys=True))
                for t, output in self.trained.items()
                if output.chosen is not None
            ],
        )

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """One row per model and warning: in how many trainings it occurred."""
        notes = [
            (self.names[training.model], note)
            for training, output in self.trained.items()
            for note in output.notes
        ]
        counts = _frame(("model", "warning"), notes).value_counts(sort=False)
        return counts.reset_index(name="trainings")


def _frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))
