"""The predictions of one training, and their six metrics.

The calibration error is the expected calibration error of the most probable class (ECE; Naeini,
Cooper and Hauskrecht 2015; Guo et al. 2017): rows are sorted into fifteen bins of equal width by
the probability of the predicted class, the confidence; the error is the mean difference between
confidence and accuracy over the bins, weighted by their rows.
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


#: Metrics, and the range of each.
METRICS: Mapping[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "macro_f1": (0.0, 1.0),
    "log_loss": (0.0, math.inf),
    "brier": (0.0, 2.0),
    "calibration_error": (0.0, 1.0),
    "roc_auc": (0.0, 1.0),
}


@dataclass(frozen=True)
class Output:
    """Predictions of one fitted model for the rows that it is scored on.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), int64
        Position of the predicted class among all classes; empty if training failed.
    probabilities : ndarray of shape (n_rows, n_classes), float64, or None
        None for models that predict none.
    decisions : ndarray of shape (n_rows, n_classes), float64, or None
        Decision values of models without probabilities.
    fit_seconds, predict_seconds : float
        Time of training, with the inner search if there is one, and of prediction.
    chosen : dict or None
        Hyperparameters that the inner search chose.
    notes : tuple of str
        Warnings of the training.
    failure : str or None
        Why training failed.
    model : bytes or None
        The model's safetensors file, of the training on all rows, if the format holds the model.
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

    @property
    def ranking(self) -> NDArray[np.float64] | None:
        """Probabilities, or else decision values: of one class, only their order matters."""
        return self.decisions if self.probabilities is None else self.probabilities

    def to_bytes(self) -> bytes:
        """Return the output as the bytes of an npz file."""
        arrays: dict[str, NDArray[Any]] = {"labels": self.labels}
        for name in ("probabilities", "decisions"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        if self.model is not None:
            arrays["model"] = np.frombuffer(self.model, dtype=np.uint8)
        names = ("fit_seconds", "predict_seconds", "chosen", "notes", "failure")
        rest = {name: getattr(self, name) for name in names}
        arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Output:
        """Return the output that `to_bytes` was called on.

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
        # A damaged archive raises errors of zipfile, zlib, json and NumPy.
        except Exception as error:
            raise ValueError(f"not the output of a model: {error!r}") from error


def scores(codes: NDArray[np.int64], output: Output, n_classes: int) -> dict[str, float]:
    """Return the six metrics of an output; NaN for those that the model has not.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Positions of the true classes.
    output : Output
        Predictions for the same rows.
    n_classes : int
        Number of classes.

    Examples
    --------
    >>> output = Output(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))
    >>> values = scores(np.array([0, 1]), output, 2)
    >>> [round(values[name], 3) for name in ("accuracy", "brier", "calibration_error")]
    [1.0, 0.2, 0.3]
    """
    values = dict.fromkeys(METRICS, math.nan)
    if output.failure is not None:
        return values
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    from moodcore.metrics import evaluate

    classes = np.arange(n_classes)
    values["accuracy"] = float(accuracy_score(codes, output.labels))
    values["macro_f1"] = float(
        f1_score(codes, output.labels, labels=classes, average="macro", zero_division=0.0)
    )
    if output.ranking is not None and len(np.unique(codes)) == n_classes:
        one_hot = codes[:, None] == classes[None, :]
        values["roc_auc"] = float(roc_auc_score(one_hot, output.ranking, average="macro"))
    if output.probabilities is not None:
        evaluation = evaluate(codes, output.probabilities)
        values["log_loss"] = float(evaluation.log_loss or 0.0)
        values["brier"] = float(evaluation.brier or 0.0)
        rows, mean, accuracy = confidence_bins(codes, output.probabilities)
        values["calibration_error"] = float(np.nansum(rows * np.abs(mean - accuracy)) / len(codes))
    return values


def confidence_bins(
    codes: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return rows, mean confidence and accuracy of each of the `BINS` bins; NaN in empty ones."""
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(predicted)), predicted]
    # A bin contains its upper edge, as in Guo et al. (2017).
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.bincount(number, minlength=BINS)
    counts = np.where(rows > 0, rows, np.nan)
    mean = np.bincount(number, weights=confidence, minlength=BINS) / counts
    accuracy = np.bincount(number, weights=predicted == codes, minlength=BINS) / counts
    return rows, mean, accuracy


def vote(members: Sequence[Output]) -> Output:
    """Return the mean of the members' probabilities, as scikit-learn's soft `VotingClassifier`.

    Nothing is trained: the members were trained on the same rows.
    """
    failure = next((member.failure for member in members if member.failure is not None), None)
    if failure is not None:
        return Output(np.empty(0, np.int64), failure=f"a member failed: {failure}")
    mean = np.average([member.probabilities for member in members], axis=0)
    return Output(
        mean.argmax(axis=1).astype(np.int64),
        mean,
        fit_seconds=sum(member.fit_seconds for member in members),
        predict_seconds=sum(member.predict_seconds for member in members),
    )
