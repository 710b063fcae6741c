"""Candidates of a search on a table in files: trained on, and scored with, the rows of a fold."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.progress import polled
from moodcore.metrics import probability_score
from moodcore.runs.candidate import FoldResult, Measures, measures, result_of, stage_of
from moodcore.runs.families import family
from moodcore.runs.fits import CURVES, NOT_WATCHING, OnPoll, OnStep, boosting_curves, watching
from moodcore.runs.space import Params
from moodcore.tuning.file_table import TRAINING, VALIDATION, FileTable, FoldRows
from moodcore.tuning.train_files import fit_on_files, labeled_batches

if TYPE_CHECKING:
    from moodcore import GBT

# Losses are summed as multiples of this, exactly, so that no batch size changes the sum.
_UNIT = 2.0**-40
#: Number of rounds that stands for the whole model.
_WHOLE = 0


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
        """Train one candidate on the training rows, and score it with the validation rows.

        The model, its numbers of rounds to choose from and their scores are those of `fit_fold` on
        the same rows in memory. Curves, and the early stopping of trees of a fixed number of
        rounds, use the sampled rows of the fold, and so does the metric "roc_auc".
        """
        from moodcore import GBT

        begin = time.perf_counter()
        kind, called = family("gbt"), GBT(**arguments)
        learned, _ = sets = self._sampled(TRAINING), self._sampled(VALIDATION)
        watched, fit = {}, {}
        if called.early_stopping_rounds is None:
            watched = watching(called, on_step)
            fit = {"eval_set": dict(zip(("train", "valid"), sets, strict=True))}
        parameters = {"random_state": seed, **arguments, **watched}
        threads = None if self.scheduler else self.n_jobs
        rows = self.table.source(self._rows(TRAINING)), self.table.target, None
        with polled(on_poll):
            model = fit_on_files(parameters | {"n_jobs": threads}, rows, self.scheduler, **fit)
            if watched:
                model.set_params(**NOT_WATCHING)
            sizes = dict(kind.stages(model))
            measured = self._validate(model, metric, list(sizes))
        whole = result_of(
            kind,
            model,
            arguments,
            boosting_curves(model) if watched else {name: [] for name in CURVES},
            measured=measured.pop(_WHOLE),
            train_accuracy=float(model.score(*learned)),
            as_called=True,
        )
        stages = [stage_of(whole, found, n, sizes[n]) for n, found in measured.items()]
        seconds = time.perf_counter() - begin
        return FoldResult(**vars(whole) | {"stages": tuple(stages), "seconds": seconds})

    def _rows(self, part: str) -> FoldRows:
        return FoldRows(self.table.seed, self.table.n_folds, self.fold, part)

    def _sampled(self, part: str) -> tuple[Any, NDArray[Any]]:
        return self.table.sampled(self.fold, part)

    def _validate(self, model: GBT, metric: str, stages: list[int]) -> dict[int, Measures]:
        """Return the metrics of the whole model, and of its first rounds."""
        rows = self.table.source(self._rows(VALIDATION))
        code_type = np.min_scalar_type(len(model.classes_))
        numbers = [_WHOLE, *stages]
        labels: list[NDArray[Any]] = []
        predicted: dict[int, list[NDArray[Any]]] = {n: [] for n in numbers}
        losses = dict.fromkeys(numbers, 0)
        for X, codes in labeled_batches(model, rows, self.table.target):
            labels.append(codes.astype(code_type))
            for n, probabilities in _staged(model, X, stages):
                predicted[n].append(probabilities.argmax(axis=1).astype(code_type))
                losses[n] += _summed_losses(probabilities, codes)
        y = np.concatenate(labels)
        areas = self._areas(model, stages) if metric == "roc_auc" else dict.fromkeys(numbers, 0.0)
        return {
            n: measures(
                metric,
                y,
                np.concatenate(predicted[n]),
                log_loss=losses[n] * _UNIT / len(y),
                roc_auc=areas[n],
            )
            for n in numbers
        }

    def _areas(self, model: GBT, stages: list[int]) -> dict[int, float]:
        """Return the areas under the ROC curves of the sampled validation rows.

        They need the probabilities of all rows at once, for each number of rounds.
        """
        X, y = self._sampled(VALIDATION)
        return {
            n: probability_score("roc_auc", model.classes_, _normalized(probabilities), y)
            for n, probabilities in _staged(model, X, stages)
        }


def _staged(model: GBT, X: Any, stages: list[int]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the probabilities of the whole model, and after each of some numbers of rounds."""
    yield _WHOLE, model.predict_proba(X)
    if stages:
        wanted = set(stages)
        for n, probabilities in enumerate(model[: max(stages)].staged_predict_proba(X), start=1):
            if n in wanted:
                yield n, probabilities


def _normalized(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _summed_losses(probabilities: NDArray[np.float64], codes: NDArray[np.intp]) -> int:
    """Return the sum of the log losses, each rounded to a whole number of units."""
    of_class = _normalized(probabilities)[np.arange(len(codes)), codes]
    least = np.finfo(np.float64).eps
    losses = -np.log(np.clip(of_class, least, 1.0 - least))
    # A loss is at most 36.04, so that the sum of a batch of 2^17 rows is below 2^63.
    units = np.rint(losses / _UNIT).astype(np.int64)
    return sum(int(part.sum()) for part in np.array_split(units, math.ceil(len(units) / 2**17)))
