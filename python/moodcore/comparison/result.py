"""What the outputs say together, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.comparison.curves import calibration_table, precision_recall_table
from moodcore.comparison.entrants import Entrant
from moodcore.comparison.outputs import METRICS, Output, scores, vote
from moodcore.comparison.pairs import compare_pairs
from moodcore.comparison.records import records
from moodcore.comparison.trainings import Contest, Training
from moodcore.runs.statistics import resampled_interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison, as tables.

    Rows stand in the order of accuracy over the folds, the best first.

    Attributes
    ----------
    contest : Contest
        What was asked.
    trained : mapping of Training to Output
        Every training.
    class_names : tuple of str
        A name for each class.
    """

    contest: Contest
    trained: Mapping[Training, Output]
    class_names: tuple[str, ...]

    @cached_property
    def outputs(self) -> Mapping[Training, Output]:
        """Every output, with those of a vote."""
        found = dict(self.trained)
        votes = [one for one in self.contest.entrants if one.is_vote]
        if votes:
            key = next(iter(self.contest.trained)).key
            for training in [one for one in found if one.model == key]:
                found[_of(training, votes[0].key)] = self._vote(training)
        return found

    def _vote(self, training: Training) -> Output:
        return vote([self.trained[_of(training, one.key)] for one in self.contest.members])

    @cached_property
    def entrants(self) -> Sequence[Entrant]:
        """The entrants, the most accurate over the folds first; those that failed last."""
        mean = self.scores.groupby("model", sort=False)["accuracy"].mean()
        order = {one.name: place for place, one in enumerate(self.contest.entrants)}
        failed = self.unusable

        def rank(one: Entrant) -> tuple[bool, float, int]:
            return one.name in failed, -float(mean[one.name]), order[one.name]

        return sorted(self.contest.entrants, key=rank)

    def folds_of(self, key: str) -> list[Output]:
        """Return the outputs of an entrant over the folds, in order."""
        plan = self.contest.plan
        return [
            self.outputs[Training(key, "fold", repeat, fold)]
            for repeat in range(plan.repeats)
            for fold in range(plan.folds)
        ]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per entrant, repeat and fold, with the six metrics."""
        import pandas as pd

        rows = []
        for one in self.contest.entrants:
            for repeat in range(self.contest.plan.repeats):
                for fold, (_, judged) in enumerate(self.contest.folds(repeat)):
                    output = self.outputs[Training(one.key, "fold", repeat, fold)]
                    found = scores(self.contest.codes[judged], output, len(self.class_names))
                    head = {"model": one.name, "repeat": repeat + 1, "fold": fold + 1}
                    rows.append(head | found)
        return pd.DataFrame(rows)

    @cached_property
    def failures(self) -> pd.DataFrame:
        """One row per training that gave no prediction, with its reason."""
        import pandas as pd

        rows = [
            {"model": self.contest.by_key[one.model].name, "where": str(one), "why": output.failure}
            for one, output in self.outputs.items()
            if output.failure is not None
        ]
        return pd.DataFrame(rows, columns=["model", "where", "why"])

    @cached_property
    def unusable(self) -> frozenset[str]:
        """The entrants that cannot be compared: a training for a fold or for the test failed."""
        return frozenset(
            self.contest.by_key[one.model].name
            for one, output in self.outputs.items()
            if output.failure is not None and one.stage != "curve"
        )

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per entrant: mean and interval of each metric, and the size of its file."""
        import pandas as pd

        rows = []
        for one in self.entrants:
            row: dict[str, Any] = {"model": one.name, "kind": one.kind}
            mine = self.scores[self.scores["model"] == one.name]
            for name, metric in METRICS.items():
                values = mine[name].to_numpy()
                row |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
                if not np.isnan(values).any():
                    found = resampled_interval(values, self.contest.test_train_ratio)
                    row[name] = found.mean
                    row[f"{name}_low"] = max(found.low, metric.low)
                    row[f"{name}_high"] = min(found.high, metric.high)
            rows.append(row | {"model_bytes": self._size(one)})
        return pd.DataFrame(rows).astype({"model_bytes": "Int64"})

    def _size(self, entrant: Entrant) -> int | None:
        if not entrant.is_vote:
            model = self._test(entrant).model
            return None if model is None else len(model)
        sizes = [self._size(one) for one in self.contest.members]
        return None if None in sizes else sum(one for one in sizes if one is not None)

    def _test(self, entrant: Entrant) -> Output:
        return self.outputs[Training(entrant.key, "test")]

    @property
    def test_codes(self) -> NDArray[np.int64]:
        """Positions of the true classes of the test rows."""
        return self.contest.codes[self.contest.test]

    @cached_property
    def test(self) -> pd.DataFrame:
        """One row per entrant: the metrics on the test rows, after training on all others."""
        import pandas as pd

        n_classes = len(self.class_names)
        return pd.DataFrame(
            [
                {"model": one.name, "rows": len(self.contest.test)}
                | scores(self.test_codes, self._test(one), n_classes)
                for one in self.entrants
            ]
        )

    @cached_property
    def times(self) -> pd.DataFrame:
        """One row per entrant: mean seconds of training and predicting in a fold."""
        import pandas as pd

        judged = len(self.contest.train) / self.contest.plan.folds
        rows = []
        for one in self.entrants:
            outputs = self.folds_of(one.key)
            predict = float(np.mean([output.predict_seconds for output in outputs]))
            rows.append(
                {
                    "model": one.name,
                    "fit_seconds": float(np.mean([output.fit_seconds for output in outputs])),
                    "predict_seconds": predict,
                    "rows_per_second": judged / predict if predict > 0 else math.nan,
                }
            )
        return pd.DataFrame(rows)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row per pair of entrants, the more accurate first, with both tests.

        `verdict` is "better" where the corrected p-value over the folds is below 0.05, "test only"
        where only that on the test rows is, else "no difference".
        """
        usable = [one.name for one in self.entrants if one.name not in self.unusable]
        by_name = {one.name: one for one in self.entrants}
        accuracies = {str(name): part["accuracy"] for name, part in self.scores.groupby("model")}
        right = {name: self._test(by_name[name]).labels == self.test_codes for name in usable}
        return compare_pairs(usable, accuracies, right, self.contest.test_train_ratio)

    @cached_property
    def learning_curves(self) -> pd.DataFrame:
        """One row per entrant and number of training rows: mean and range over the folds."""
        import pandas as pd

        sizes = self.contest.curve_sizes
        rows = []
        for one in self.entrants:
            for place, size in enumerate(sizes):
                found = [
                    self._curve_accuracy(one, fold, place)
                    for fold in range(self.contest.curve_folds)
                ]
                mean, low, high = float(np.mean(found)), min(found), max(found)
                rows.append(
                    {"model": one.name, "rows": size, "accuracy": mean, "low": low, "high": high}
                )
        return pd.DataFrame(rows, columns=["model", "rows", "accuracy", "low", "high"])

    def _curve_accuracy(self, entrant: Entrant, fold: int, place: int) -> float:
        whole = place == len(self.contest.curve_sizes) - 1
        training = (
            Training(entrant.key, "fold", 0, fold)
            if whole
            else Training(entrant.key, "curve", 0, fold, place)
        )
        output = self.outputs[training]
        if output.failure is not None:
            return math.nan
        _, judged = self.contest.folds(0)[fold]
        return float((output.labels == self.contest.codes[judged]).mean())

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """One row per entrant and bin of confidence with test rows in it."""
        outputs = {one.name: self._test(one) for one in self.entrants}
        return calibration_table(outputs, self.test_codes)

    @cached_property
    def precision_recall(self) -> pd.DataFrame:
        """One row per entrant, class and point of its curve on the test rows."""
        outputs = {one.name: self._test(one) for one in self.entrants}
        return precision_recall_table(outputs, self.test_codes, self.class_names)

    @cached_property
    def confusion(self) -> Mapping[str, NDArray[np.int64]]:
        """By entrant: `[true][predicted]` counts test rows."""
        from sklearn.metrics import confusion_matrix

        classes = np.arange(len(self.class_names))
        return {
            one.name: confusion_matrix(self.test_codes, self._test(one).labels, labels=classes)
            for one in self.entrants
            if self._test(one).failure is None
        }

    @property
    def confusion_table(self) -> pd.DataFrame:
        """One row per entrant, true class and predicted class: how many test rows."""
        import pandas as pd

        rows = [
            (name, true, predicted, int(matrix[i, j]))
            for name, matrix in self.confusion.items()
            for i, true in enumerate(self.class_names)
            for j, predicted in enumerate(self.class_names)
        ]
        return pd.DataFrame(rows, columns=["model", "class", "predicted", "rows"])

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Share of the test rows that two entrants put into the same class."""
        import pandas as pd

        labels = {
            one.name: self._test(one).labels
            for one in self.entrants
            if self._test(one).failure is None
        }
        shares = [[float((a == b).mean()) for b in labels.values()] for a in labels.values()]
        return pd.DataFrame(shares, index=list(labels), columns=list(labels))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per test row: its place in the table, its class, and what each model says."""
        import pandas as pd

        names = np.asarray(self.class_names, dtype=object)
        index = getattr(self.contest.X, "index", None)
        places = self.contest.test if index is None else np.asarray(index)[self.contest.test]
        table: dict[str, Any] = {"row": places, "class": names[self.test_codes]}
        for one in self.entrants:
            output = self._test(one)
            if output.failure is not None:
                continue
            table[one.name] = names[output.labels]
            if output.probabilities is not None:
                at = np.arange(len(output.labels))
                table[f"{one.name} (probability)"] = output.probabilities[at, output.labels]
        return pd.DataFrame(table)

    @cached_property
    def disputed(self) -> NDArray[np.bool_]:
        """Whether the models, without baselines and combination, disagree about a test row."""
        labels = [
            self._test(one).labels
            for one in self.entrants
            if one.kind == "model" and self._test(one).failure is None
        ]
        if not labels:
            return np.zeros(len(self.contest.test), dtype=bool)
        return np.any(np.array(labels) != labels[0], axis=0)

    @cached_property
    def disagreements(self) -> pd.DataFrame:
        """The test rows about which the models disagree: what they say, and the rows themselves.

        Those with most different answers come first.
        """
        import pandas as pd
        from sklearn.utils import _safe_indexing

        rows = self.contest.test[self.disputed]
        values = _safe_indexing(self.contest.X, rows)
        if not hasattr(values, "iloc"):
            names = [f"column {number}" for number in range(np.shape(values)[1])]
            values = pd.DataFrame(np.asarray(values), columns=names)
        said = self.predictions[self.disputed].reset_index(drop=True)
        models = [one.name for one in self.entrants if one.kind == "model" and one.name in said]
        table = pd.concat([said, values.reset_index(drop=True)], axis=1)
        table.insert(2, "answers", said[models].nunique(axis=1))
        return table.sort_values("answers", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """One row per inner search: the hyperparameters that it chose, as JSON."""
        import json

        import pandas as pd

        rows = [
            {
                "model": self.contest.by_key[one.model].name,
                "where": str(one),
                "chosen": json.dumps(output.chosen, sort_keys=True),
            }
            for one, output in self.trained.items()
            if output.chosen is not None
        ]
        return pd.DataFrame(rows, columns=["model", "where", "chosen"])

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """One row per entrant and warning: how many trainings gave it."""
        import pandas as pd

        found = [
            (self.contest.by_key[one.model].name, note)
            for one, output in self.trained.items()
            for note in output.notes
        ]
        table = pd.DataFrame(found, columns=["model", "warning"])
        return table.value_counts(sort=False).reset_index(name="trainings")

    @property
    def table(self) -> pd.DataFrame:
        """`summary` and `times` side by side, by model."""
        return self.summary.merge(self.times, on="model").set_index("model")

    def sentences(self) -> list[str]:
        """Return the outcome in words."""
        from moodcore.comparison.words import sentences

        return sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all but times and single rows, as JSON can hold it.

        The same data and seed give the same, whatever the number of processes.
        """
        from moodcore.comparison.words import checks, pair_sentences, summary_sentences

        return {
            "classes": list(self.class_names),
            "train_rows": len(self.contest.train),
            "test_rows": len(self.contest.test),
            "test_train_ratio": self.contest.test_train_ratio,
            "summary": records(self.summary),
            "test": records(self.test),
            "pairs": records(self.pairs),
            "scores": records(self.scores),
            "learning_curves": records(self.learning_curves),
            "calibration": records(self.calibration),
            "confusion": {name: matrix.tolist() for name, matrix in self.confusion.items()},
            "agreement": self.agreement.to_dict(),
            "disputed": int(self.disputed.sum()),
            "chosen": records(self.chosen),
            "failures": records(self.failures),
            "warnings": records(self.warnings),
            "members": [one.name for one in self.contest.members],
            "outcome": summary_sentences(self),
            "pairs_in_words": pair_sentences(self),
            "checks": checks(self),
        }


def _of(training: Training, key: str) -> Training:
    from dataclasses import replace

    return replace(training, model=key)
