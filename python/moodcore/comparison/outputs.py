"""What a fitted model says of rows, and how good that is: six metrics.

The calibration error is the expected calibration error of the most probable class (ECE; Naeini,
Cooper and Hauskrecht 2015; Guo et al. 2017): rows are sorted by the probability of the class they
are put into, its confidence, into fifteen bins of equal width; the error is the mean difference
of confidence and accuracy over the bins, each weighted by its rows.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Metric:
    """What a metric is called, which way is better, and between what it lies."""

    title: str
    higher_is_better: bool
    low: float
    high: float


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy", True, 0.0, 1.0),
    "macro_f1": Metric("macro F1", True, 0.0, 1.0),
    "log_loss": Metric("log loss", False, 0.0, math.inf),
    "brier": Metric("Brier score", False, 0.0, 2.0),
    "calibration_error": Metric("calibration error", False, 0.0, 1.0),
    "roc_auc": Metric("ROC AUC", True, 0.0, 1.0),
}


@dataclass(frozen=True)
class Output:
    """What one fitted model said of the rows that judge it.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), int64
        Position of the predicted class among all classes; empty if it failed.
    probabilities : ndarray of shape (n_rows, n_classes), float64, or None
        None for models that give none.
    decisions : ndarray of shape (n_rows, n_classes), float64, or None
        Scores by which rows can be ranked, of models without probabilities.
    fit_seconds, predict_seconds : float
        Time of training, with the inner search if there is one, and of predicting.
    chosen : dict or None
        Hyperparameters that the inner search chose.
    notes : tuple of str
        Warnings of the training.
    failure : str or None
        Why there is no prediction.
    model : bytes or None
        The model's safetensors file, where the format holds it and it was asked for.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None = None
    decisions: NDArray[np.float64] | None = None
    fit_seconds: float = math.nan
    predict_seconds: float = math.nan
    chosen: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    failure: str | None = None
    model: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the output as the bytes of an npz file."""
        arrays: dict[str, NDArray[Any]] = {"labels": self.labels}
        for name in ("probabilities", "decisions"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        if self.model is not None:
            arrays["model"] = np.frombuffer(self.model, dtype=np.uint8)
        rest = {
            "fit_seconds": self.fit_seconds,
            "predict_seconds": self.predict_seconds,
            "chosen": self.chosen,
            "notes": list(self.notes),
            "failure": self.failure,
        }
        arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Output:
        """Return what `to_bytes` was called on.

        Raises
        ------
        ValueError
            If the bytes are not those of an output.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            rest = json.loads(arrays.pop("rest").tobytes())
            model = arrays.pop("model", None)
            rest["notes"] = tuple(rest["notes"])
            return cls(**arrays, **rest, model=None if model is None else model.tobytes())
        # A damaged archive raises errors of zipfile, zlib, json and numpy.
        except Exception as error:
            raise ValueError(f"not the output of a model: {error!r}") from error


def scores(codes: NDArray[np.int64], output: Output, n_classes: int) -> dict[str, float]:
    """Return the six metrics of an output; NaN for what the model does not give.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Positions of the true classes.
    output : Output
        What the model said of the same rows.
    n_classes : int
        Number of classes.

    Examples
    --------
    >>> said = Output(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))
    >>> found = scores(np.array([0, 1]), said, 2)
    >>> round(found["accuracy"], 3), round(found["brier"], 3), round(found["calibration_error"], 3)
    (1.0, 0.2, 0.3)
    """
    if output.failure is not None:
        return dict.fromkeys(METRICS, math.nan)
    from sklearn.metrics import accuracy_score, f1_score

    from moodcore.metrics import evaluate

    classes = np.arange(n_classes)
    found = dict.fromkeys(METRICS, math.nan) | {
        "accuracy": float(accuracy_score(codes, output.labels)),
        "macro_f1": float(
            f1_score(codes, output.labels, labels=classes, average="macro", zero_division=0.0)
        ),
        "roc_auc": area_under_roc(codes, output, n_classes),
    }
    if output.probabilities is not None:
        judged = evaluate(codes, output.probabilities)
        assert judged.log_loss is not None and judged.brier is not None
        found |= {"log_loss": judged.log_loss, "brier": judged.brier}
        found["calibration_error"] = calibration_error(codes, output)
    return found


def area_under_roc(codes: NDArray[np.int64], output: Output, n_classes: int) -> float:
    """Return the mean over the classes of the area under the ROC curve, one against the rest.

    Scores do for it what probabilities do: only their order counts.
    """
    from sklearn.metrics import roc_auc_score

    ranked = output.probabilities if output.probabilities is not None else output.decisions
    present = np.unique(codes)
    if ranked is None or len(present) < n_classes:
        return math.nan
    one_hot = codes[:, None] == np.arange(n_classes)[None, :]
    return float(roc_auc_score(one_hot, ranked, average="macro"))


def confidences(
    codes: NDArray[np.int64], output: Output
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of each row's most probable class, and whether that is the true one.

    The output must have probabilities.
    """
    assert output.probabilities is not None
    best = output.probabilities.argmax(axis=1)
    return output.probabilities[np.arange(len(best)), best], best == codes


def bin_confidences(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return rows, mean confidence and accuracy of each of the `BINS` bins; NaN in empty ones."""
    # A bin holds its upper edge, as in Guo et al. (2017).
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.bincount(number, minlength=BINS)
    counts = np.where(rows > 0, rows, np.nan)
    mean = np.bincount(number, weights=confidence, minlength=BINS) / counts
    accuracy = np.bincount(number, weights=right, minlength=BINS) / counts
    return rows, mean, accuracy


def calibration_error(codes: NDArray[np.int64], output: Output) -> float:
    """Return the expected calibration error of an output with probabilities, in [0, 1]."""
    rows, mean, accuracy = bin_confidences(*confidences(codes, output))
    return float(np.nansum(rows * np.abs(mean - accuracy)) / rows.sum())


def vote(members: Sequence[Output]) -> Output:
    """Return the mean of the members' probabilities, as scikit-learn's soft `VotingClassifier`.

    The members were trained on the same rows already, so nothing has to be trained again.
    """
    failed = next((one.failure for one in members if one.failure is not None), None)
    if failed is not None:
        return Output(np.empty(0, np.int64), failure=f"a member failed: {failed}")
    mean = np.average([one.probabilities for one in members], axis=0)
    return Output(
        mean.argmax(axis=1).astype(np.int64),
        mean,
        fit_seconds=sum(one.fit_seconds for one in members),
        predict_seconds=sum(one.predict_seconds for one in members),
    )
