"""Candidates of a search on a table in files: trained on, and scored with, the rows of a fold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.progress import polled
from moodcore.metrics import evaluate, selection_value
from moodcore.runs.families import family
from moodcore.runs.fits import CURVES, Curves, OnPoll, OnStep
from moodcore.runs.space import Params
from moodcore.tuning.candidate import FoldResult
from moodcore.tuning.file_table import FileTable, FoldRows
from moodcore.tuning.selection import SELECTION_METRICS
from moodcore.tuning.train_files import fit_on_files, predictions_of


@dataclass(frozen=True)
class FileFold:
    """One fold of a table in files.

    Attributes
    ----------
    table : FileTable
    fold : int
    n_jobs : int
        Threads of a training in this process.
    scheduler : str or None
        Address of a Dask scheduler whose workers train.
    """

    table: FileTable
    fold: int
    n_jobs: int
    scheduler: str | None

    def fit(
        self,
        arguments: Params,
        *,
        seed: int,
        metric: str,
        on_step: OnStep,
        on_poll: OnPoll,
    ) -> FoldResult:
        """Train one candidate on the training rows, and score it with the validation rows."""
        begin = time.perf_counter()
        table = self.table
        rows = FoldRows(table.seed, table.n_folds, self.fold, "training")
        names = {"train": "training", "valid": "validation", "stopping": "stopping"}
        sets = {name: table.sampled(self.fold, part) for name, part in names.items()}
        parameters = {
            "categorical_features": "from_dtype",
            "random_state": seed,
            **arguments,
            # The last metric on the last set is the one of early stopping.
            "eval_metric": ["error", "logloss"],
            "callbacks": [_Steps(on_step)],
            "n_jobs": None if self.scheduler else self.n_jobs,
        }
        with polled(on_poll):
            source = (table.source(rows), table.target, None)
            model = fit_on_files(parameters, source, self.scheduler, eval_set=sets)
            model.callbacks = None
            valid = FoldRows(table.seed, table.n_folds, self.fold, "validation")
            codes, probabilities = predictions_of(model, table.source(valid), table.target)
        curves = _curves(model.evals_result_)
        names_of_classes = [str(label) for label in model.classes_.tolist()]
        test = evaluate(codes, probabilities, class_names=names_of_classes)
        score = test.accuracy
        if metric != "accuracy":
            value = selection_value(metric, _Predicted(probabilities), None, codes)
            score = value if SELECTION_METRICS[metric].greater_is_better else -value
        X, y = sets["train"]
        assert test.log_loss is not None
        return FoldResult(
            score=score,
            accuracy=test.accuracy,
            balanced_accuracy=test.balanced_accuracy,
            train_accuracy=float(model.score(X, y)),
            valid_loss=test.log_loss,
            curves=curves,
            diverged=not np.isfinite(curves["train_loss"]).all(),
            n_weights=family("gbt").size(model),
            seconds=time.perf_counter() - begin,
        )


class _Steps:
    """Passes the metrics of each round to the search."""

    def __init__(self, on_step: OnStep) -> None:
        self._on_step = on_step

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Report a round."""
        self._on_step(
            {
                f"{name}_{curve}": value
                for name in ("train", "valid")
                for curve, value in (
                    ("loss", float(record[name]["logloss"])),
                    ("accuracy", 1.0 - float(record[name]["error"])),
                )
            }
        )


def _curves(results: Mapping[str, Mapping[str, list[float]]]) -> Curves:
    curves: Curves = {}
    for name in ("train", "valid"):
        curves[f"{name}_loss"] = [float(loss) for loss in results[name]["logloss"]]
        curves[f"{name}_accuracy"] = [1.0 - float(error) for error in results[name]["error"]]
    return {name: curves[name] for name in CURVES}


@dataclass(frozen=True)
class _Predicted:
    """Predictions that were computed already, as `selection_value` asks a model for them."""

    probabilities: NDArray[np.float64]

    @property
    def classes_(self) -> NDArray[np.intp]:
        """The class codes."""
        return np.arange(self.probabilities.shape[1])

    def predict(self, _: Any) -> NDArray[np.intp]:
        """Return the most probable class of each row."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def predict_proba(self, _: Any) -> NDArray[np.float64]:
        """Return the class probabilities of each row."""
        return self.probabilities
