"""How good a classifier is: the metrics of one test, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class.

    Attributes
    ----------
    name : str
        The class.
    precision, recall, f1 : float
        In [0, 1]; 0 where a class was never predicted.
    support : int
        Rows of the class in the test.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a classifier on test rows.

    Attributes
    ----------
    n_rows : int
        Rows of the test.
    accuracy : float
        Share of rows put into their class, in [0, 1].
    balanced_accuracy : float
        Mean recall over the classes: the accuracy to expect if all were equally frequent.
    log_loss : float or None
        Mean of -ln(probability of the true class), in nats; lower is better. None for models
        that give no probabilities.
    brier : float or None
        Mean over rows of the squared distance between the probabilities and the one-hot
        truth, in [0, 2] (Brier 1950); lower is better. None likewise.
    macro_f1 : float
        Mean F1 over the classes, in [0, 1].
    classes : tuple of ClassMetrics
        One entry per class.
    confusion : list of list of int
        `confusion[true][predicted]` counts rows.
    """

    n_rows: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float | None
    brier: float | None
    macro_f1: float
    classes: tuple[ClassMetrics, ...]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as JSON can hold them."""
        return asdict(self) | {"classes": [asdict(metrics) for metrics in self.classes]}


def evaluate(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
) -> Evaluation:
    """Compute metrics of predicted probabilities.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        True labels, each one of `classes`.
    probabilities : array-like of shape (n_rows, n_classes)
        One row per sample, columns in the order of `classes`; rows sum to 1. The prediction
        is the most probable class (the first of equals).
    classes : array-like of shape (n_classes,), default=None
        The labels in ascending order; None means 0 .. n_classes - 1.
    class_names : sequence of str, default=None
        One name per class; None means the labels themselves.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If shapes do not fit, there are no rows, or a label is not among the classes.

    Examples
    --------
    >>> found = evaluate([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], class_names=["a", "b"])
    >>> round(found.accuracy, 3), found.balanced_accuracy, found.confusion
    (0.667, 0.75, [[1, 0], [1, 1]])
    """
    from sklearn.metrics import log_loss

    y, proba, labels = _checked(y_true, probabilities, classes)
    one_hot = (y[:, None] == labels[None, :]).astype(np.float64)
    return replace(
        _of_labels(y, labels[proba.argmax(axis=1)], labels, class_names),
        log_loss=float(log_loss(y, proba, labels=labels)),
        brier=float(np.mean(np.sum((proba - one_hot) ** 2, axis=1))),
    )


def evaluate_model(
    model: Any, X: Any, y_true: ArrayLike, *, class_names: Sequence[str] | None = None
) -> Evaluation:
    """Test a fitted classifier: by its probabilities, or by its labels where it gives none.

    Parameters
    ----------
    model : classifier
        Fitted, with `classes_`.
    X : array-like of shape (n_rows, n_features)
        What it takes.
    y_true : array-like of shape (n_rows,)
        True labels, each one of the model's classes.
    class_names : sequence of str, default=None
        One name per class; None means the labels themselves.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        As :func:`evaluate`.

    Examples
    --------
    >>> from moodcore import LinearSVM
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> found = evaluate_model(LinearSVM().fit(X, y), X, y)
    >>> found.accuracy, found.log_loss
    (1.0, None)
    """
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(X)
        return evaluate(y_true, probabilities, classes=model.classes_, class_names=class_names)
    predicted = model.predict(X)
    labels = np.asarray(model.classes_)
    # Labels are checked like probabilities of zero and one.
    certain = (predicted[:, None] == labels[None, :]).astype(np.float64)
    y, _, labels = _checked(y_true, certain, labels)
    return _of_labels(y, predicted, labels, class_names)


def _of_labels(
    y: NDArray[Any],
    predicted: NDArray[Any],
    labels: NDArray[Any],
    class_names: Sequence[str] | None,
) -> Evaluation:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    names = [str(label) for label in labels] if class_names is None else list(class_names)
    if len(names) != len(labels):
        raise ValueError(f"class_names: {len(names)} names for {len(labels)} classes")
    precision, recall, f1, support = precision_recall_fscore_support(
        y, predicted, labels=labels, zero_division=0.0
    )
    return Evaluation(
        n_rows=len(y),
        accuracy=float(np.mean(predicted == y)),
        balanced_accuracy=float(recall[support > 0].mean()),
        log_loss=None,
        brier=None,
        macro_f1=float(f1.mean()),
        classes=tuple(
            ClassMetrics(name, float(p), float(r), float(f), int(s))
            for name, p, r, f, s in zip(names, precision, recall, f1, support, strict=True)
        ),
        confusion=confusion_matrix(y, predicted, labels=labels).tolist(),
    )


def _checked(
    y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    y = np.asarray(y_true)
    proba = np.asarray(probabilities, dtype=np.float64)
    if proba.ndim != 2 or y.ndim != 1 or len(y) != len(proba):
        raise ValueError(
            "y_true must have the shape (n_rows,) and probabilities (n_rows, n_classes), "
            f"got {y.shape} and {proba.shape}"
        )
    if not len(y):
        raise ValueError("there is nothing to evaluate: y_true has no rows")
    labels = np.arange(proba.shape[1]) if classes is None else np.asarray(classes)
    if labels.shape != (proba.shape[1],):
        raise ValueError(
            f"classes: {labels.size} labels for {proba.shape[1]} columns of probabilities"
        )
    unknown = np.setdiff1d(y, labels)
    if unknown.size:
        raise ValueError(f"y_true: label {unknown[0]!s} is not one of {labels.tolist()}")
    # The network computes in float32, whose rounding scikit-learn's log loss warns about.
    return y, proba / proba.sum(axis=1, keepdims=True), labels


def baselines(
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    rows: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
) -> dict[str, Evaluation]:
    """Evaluate baseline classifiers.

    Parameters
    ----------
    X_train, X_test : array-like of shape (n_rows, n_features)
        Features, preprocessed as for the classifier to be compared.
    y_train, y_test : array-like of shape (n_rows,)
        Labels, in their natural mix.
    rows : array-like of int, default=None
        Positions of the training rows that the regression learns from, for example those
        that balancing kept; None means all. The majority is always counted over all rows.
    class_names : sequence of str, default=None
        One name per class, in ascending order of the labels.

    Returns
    -------
    dict of str to Evaluation
        `"majority class"` (always the most frequent training class, with the training
        frequencies as probabilities) and `"logistic regression"`.

    Examples
    --------
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> {name: found.accuracy for name, found in baselines(X, y, X, y).items()}
    {'majority class': 0.5, 'logistic regression': 1.0}
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    X, y = np.asarray(X_train), np.asarray(y_train)
    kept = np.arange(len(y)) if rows is None else np.asarray(rows)
    models = {
        "majority class": DummyClassifier(strategy="prior").fit(X, y),
        "logistic regression": LogisticRegression(max_iter=1000).fit(X[kept], y[kept]),
    }
    found = {}
    for name, model in models.items():
        found[name] = evaluate_model(model, X_test, y_test, class_names=class_names)
    return found


def class_names(model: Any) -> list[str]:
    """Return the names of the classes of a fitted model, in their order.

    Parameters
    ----------
    model : classifier
        A song pipeline names its label codes; the classes of others are their own names.

    Examples
    --------
    >>> from moodcore import GBT
    >>> class_names(GBT(1).fit([[0.0], [1.0]], [3, 4]))
    ['3', '4']
    """
    if getattr(model, "class_names", None) is not None:
        return list(model.class_names)
    labels = model.classes_.tolist()
    names = getattr(model, "label_names", None)
    if names is None:
        return [str(label) for label in labels]
    return [names[code] if 0 <= code < len(names) else str(code) for code in labels]


def probability_score(
    metric: str, classes: NDArray[Any], probabilities: NDArray[np.float64], y: NDArray[Any]
) -> float:
    """Compute "log_loss" or "roc_auc" (one class against the rest) from probabilities.

    Parameters
    ----------
    metric : str
        Name of the metric.
    classes : ndarray of shape (n_classes,)
        Sorted labels of the columns.
    probabilities : ndarray of shape (n_rows, n_classes)
        Rows sum to one.
    y : ndarray of shape (n_rows,)
        Labels.
    """
    from sklearn import metrics

    if metric == "log_loss":
        return float(metrics.log_loss(y, probabilities, labels=classes))
    if len(classes) == 2:
        return float(metrics.roc_auc_score(y, probabilities[:, 1]))
    return float(metrics.roc_auc_score(y, probabilities, multi_class="ovr", labels=classes))


def label_score(metric: str, predicted: NDArray[Any], y: NDArray[Any]) -> float:
    """Compute "balanced_accuracy", "f1_macro" or "accuracy" from predicted labels."""
    from sklearn import metrics

    if metric == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(y, predicted))
    if metric == "f1_macro":
        return float(metrics.f1_score(y, predicted, average="macro"))
    return float(np.mean(predicted == y))
