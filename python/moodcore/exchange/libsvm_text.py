"""libsvm's model file, to and from `SVM`.

The format is that of libsvm's ``svm_save_model``: lines of settings, then ``SV`` and one line per
support vector: its coefficients, and its values by column number from 1. Decisions are above zero
for the first class of a pair, and ``rho`` is subtracted, where our intercept is added.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.svm.kernels import dense_support_vectors
from moodcore.exchange.checks import check_length, read_float, text_lines
from moodcore.exchange.fitted_trees import class_labels

_KERNELS = {"linear": "linear", "polynomial": "poly", "rbf": "rbf", "sigmoid": "sigmoid"}
_NAMES = {ours: theirs for theirs, ours in _KERNELS.items()}
_TYPES = ("c_svc", "nu_svc")
_MOST_CLASSES = 10_000
_MOST_COLUMNS = 2**24


def write_libsvm(model: Any, *, label_positions: bool = False) -> bytes:
    """Write a fitted `SVM` as libsvm does.

    libsvm's labels are 32-bit integers; others are refused, or with ``label_positions`` become
    their positions.
    """
    check_is_fitted(model)
    kernel = model.kernel
    if callable(kernel) or kernel not in _NAMES:
        name = "a callable" if callable(kernel) else repr(kernel)
        raise ValueError(f"libsvm's file holds the kernels {', '.join(_NAMES)}; got {name}")
    core, labels = model.core_model_, model.classes_
    codes = _label_codes(labels, label_positions)
    lines = ["svm_type c_svc", f"kernel_type {_NAMES[kernel]}"]
    if kernel == "poly":
        lines.append(f"degree {core.degree}")
    if kernel != "linear":
        lines.append(f"gamma {core.gamma!r}")
    if kernel in ("poly", "sigmoid"):
        lines.append(f"coef0 {core.coef0!r}")
    lines += [f"nr_class {len(codes)}", f"total_sv {len(model.support_)}"]
    lines.append(_line("rho", 0.0 - core.intercept))
    lines.append(f"label {' '.join(map(str, codes))}")
    if model.probability:
        lines += [_line("probA", core.sigmoids[0]), _line("probB", core.sigmoids[1])]
    lines.append(f"nr_sv {' '.join(map(str, model.n_support_.tolist()))}")
    lines.append("SV")
    vectors, coefs = dense_support_vectors(core).astype(np.float64), core.dual_coef.T
    for row, (row_coefs, values) in enumerate(zip(coefs.tolist(), vectors.tolist(), strict=True)):
        # Zeros are omitted, except in the last column of the first vector: it is the width.
        last = len(values) if row == 0 else 0
        entries = [
            f"{column}:{value!r}"
            for column, value in enumerate(values, start=1)
            if value != 0 or column == last
        ]
        lines.append(" ".join([*map(repr, row_coefs), *entries, ""]))
    return ("\n".join(lines) + "\n").encode()


def _label_codes(labels: NDArray[Any], label_positions: bool) -> list[int]:
    """Return the integers that the file has for the labels."""
    values = labels.tolist()
    fits = [
        isinstance(value, bool | int | float) and value == value // 1 and -(2**31) <= value < 2**31
        for value in values
    ]
    if all(fits):
        return list(map(int, values))
    if label_positions:
        return list(range(len(values)))
    raise ValueError(
        f"libsvm's labels are 32-bit integers, got {values[fits.index(False)]!r}; with "
        "label_positions=True (--label-positions) their positions 0, 1, 2, ... are written, and "
        "load(..., classes=) restores the labels"
    )


def _line(name: str, values: NDArray[np.float64]) -> str:
    return " ".join([name, *map(repr, values.tolist())])


def read_libsvm(
    data: bytes, *, classes: ArrayLike | None = None, n_features: int | None = None
) -> Any:
    """Read a classifier that libsvm trained, or that `write_libsvm` wrote.

    ``n_features`` is the number of columns, by default the largest in the file.
    """
    stripped = [line.strip() for line in text_lines(data)]
    if not data.endswith(b"\n"):
        raise ValueError("the last line is incomplete: the file is truncated")
    if "SV" not in stripped:
        raise ValueError(
            'the line "SV" is missing: the file is not a libsvm model, or is truncated'
        )
    start = stripped.index("SV") + 1
    head = _Head(stripped[: start - 1])
    rows = [(number, line) for number, line in enumerate(stripped[start:], start + 1) if line]
    if len(rows) != head.n_vectors:
        raise ValueError(f"total_sv is {head.n_vectors}, the file has {len(rows)} support vectors")
    coefs, vectors = _read_vectors(rows, len(head.labels) - 1)
    if n_features is not None:
        width = vectors.shape[1]
        if not width <= n_features <= _MOST_COLUMNS:
            raise ValueError(
                f"n_features must be {width}, the columns in the file, to {_MOST_COLUMNS}, "
                f"got {n_features}"
            )
        vectors = np.pad(vectors, ((0, 0), (0, n_features - width)))
    return _fitted(head, coefs, vectors, classes)


class _Head:
    """The lines of settings."""

    def __init__(self, lines: list[str]) -> None:
        fields: dict[str, list[str]] = {}
        for number, line in enumerate(lines, start=1):
            name, *values = line.split() or [""]
            if name in fields:
                raise ValueError(f"line {number}: {name} appears twice")
            fields[name] = values
        self._fields = fields
        kind, kernel = self._word("svm_type"), self._word("kernel_type")
        if kind not in _TYPES:
            raise ValueError(f"svm_type must be {' or '.join(_TYPES)}, got {kind!r}")
        if kernel not in _KERNELS:
            known = ", ".join(_KERNELS)
            raise ValueError(f"kernel_type must be one of {known}, got {kernel!r}")
        self.kernel = _KERNELS[kernel]
        n_classes = self._whole("nr_class", 2, _MOST_CLASSES)
        n_pairs = n_classes * (n_classes - 1) // 2
        self.n_vectors = self._whole("total_sv", 1, 2**31)
        self.rho = self._numbers("rho", n_pairs)
        self.labels = np.array([self._int("label", text) for text in self._values("label")])
        if len(self.labels) != n_classes or len(set(self.labels.tolist())) != n_classes:
            raise ValueError(f"label must be {n_classes} different numbers, got {self.labels}")
        self.n_support = np.array([self._int("nr_sv", text) for text in self._values("nr_sv")])
        if (
            len(self.n_support) != n_classes
            or (self.n_support < 0).any()
            or self.n_support.sum() != self.n_vectors
        ):
            raise ValueError(
                f"nr_sv must be {n_classes} counts of {self.n_vectors} in all, "
                f"got {self.n_support.tolist()}"
            )
        self.probability = "probA" in fields or "probB" in fields
        self.sigmoids = np.empty((2, 0))
        if self.probability:
            self.sigmoids = np.array([self._numbers(name, n_pairs) for name in ("probA", "probB")])
        self.gamma = self._numbers("gamma", 1)[0] if self.kernel != "linear" else 0.0
        self.degree = self._whole("degree", 0, 100) if self.kernel == "poly" else 3
        has_coef0 = self.kernel in ("poly", "sigmoid")
        self.coef0 = float(self._numbers("coef0", 1)[0]) if has_coef0 else 0.0
        if self.gamma < 0:
            raise ValueError(f"gamma must be at least 0, got {self.gamma}")

    def _values(self, name: str) -> list[str]:
        if name not in self._fields:
            raise ValueError(f"the line {name} is missing")
        return self._fields[name]

    def _word(self, name: str) -> str:
        return " ".join(self._values(name))

    @staticmethod
    def _int(name: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise ValueError(f"{name} must be integers, got {text!r}") from error
        if not -(2**31) <= value < 2**31:
            raise ValueError(f"{name} must be 32-bit integers, got {value}")
        return value

    def _whole(self, name: str, least: int, most: int) -> int:
        value = self._int(name, self._word(name))
        if not least <= value <= most:
            raise ValueError(f"{name} must be {least} to {most}, got {value}")
        return value

    def _numbers(self, name: str, count: int) -> NDArray[np.float64]:
        texts = self._values(name)
        check_length(name, texts, count)
        return np.array([read_float(text, name) for text in texts])


def _read_vectors(
    rows: list[tuple[int, str]], n_coefs: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Read coefficients and values; omitted values are zero."""
    coefs = np.empty((len(rows), n_coefs))
    entries: list[tuple[list[int], list[float]]] = []
    width = 0
    for row, (number, line) in enumerate(rows):
        words = line.split()
        try:
            if len(words) < n_coefs:
                raise ValueError(f"a vector begins with {n_coefs} coefficients, got {len(words)}")
            coefs[row] = [read_float(word, "a coefficient") for word in words[:n_coefs]]
            entries.append(_read_entries(words[n_coefs:]))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        width = max([width, *entries[-1][0]])
    # A forged column number must not claim the memory of a table that is nearly empty.
    count = sum(len(columns) for columns, _ in entries)
    if width == 0 or width * len(rows) > 2**22 + 100 * count:
        raise ValueError(f"{width} columns do not fit {count} values")
    vectors = np.zeros((len(rows), width), dtype=np.float32)
    with np.errstate(over="ignore"):
        for vector, (columns, values) in zip(vectors, entries, strict=True):
            vector[np.array(columns, dtype=np.intp) - 1] = values
    if not np.isfinite(vectors).all():
        raise ValueError(
            "values must be in the range of float32 (at most 3.4e38 in absolute value)"
        )
    return coefs, vectors


def _read_entries(pairs: list[str]) -> tuple[list[int], list[float]]:
    columns: list[int] = []
    values: list[float] = []
    for pair in pairs:
        column, colon, value = pair.partition(":")
        if not colon or not column.isascii() or not column.isdigit():
            raise ValueError(f"values must be written as column:value, got {pair!r}")
        place = int(column) if len(column) < 10 else _MOST_COLUMNS + 1
        if not (columns[-1] if columns else 0) < place <= _MOST_COLUMNS:
            raise ValueError(f"columns must ascend from 1 to {_MOST_COLUMNS}, got {column}")
        columns.append(place)
        values.append(read_float(value, "a value"))
    return columns, values


def _fitted(
    head: _Head,
    coefs: NDArray[np.float64],
    vectors: NDArray[np.float32],
    classes: ArrayLike | None,
) -> Any:
    """Return a fitted estimator, its classes in ascending order."""
    from moodcore.estimators.svm.estimator import SVM

    order = np.argsort(head.labels)
    labels = head.labels[order] if classes is None else class_labels(classes, len(order))
    dual_coef, intercept, sigmoids = _reorder(head, coefs, order)
    model = SVM(
        kernel=head.kernel,  # type: ignore[arg-type]
        gamma=float(head.gamma) if head.kernel != "linear" else "scale",
        degree=head.degree,
        coef0=head.coef0,
        probability=head.probability,
    )
    model.check_parameters()
    model.classes_ = labels
    model.n_features_in_ = vectors.shape[1]
    model.shape_fit_ = vectors.shape
    # The positions of the vectors in the training table are not in the file.
    model.support_ = np.arange(len(vectors), dtype=np.int32)
    ends = np.cumsum(head.n_support)
    of_class = [np.arange(end - n, end) for end, n in zip(ends, head.n_support, strict=True)]
    rows = np.concatenate([of_class[place] for place in order])
    model.core_model_ = _core.SvmModel(
        (str(model.kernel), float(head.gamma), model.degree, model.coef0),
        head.n_support[order].astype(np.uint32),
        np.ascontiguousarray(vectors[rows]),
        np.ascontiguousarray(dual_coef[:, rows]),
        intercept,
        (sigmoids[0], sigmoids[1]),
    )
    n_pairs = len(intercept)
    model.n_iter_ = np.zeros(n_pairs, dtype=np.int64)
    model.dual_objective_ = model.duality_gap_ = np.full(n_pairs, np.nan)
    model.class_weight_ = np.ones(len(labels))
    model.fit_status_ = 0
    return model


def _reorder(
    head: _Head, coefs: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients, intercepts and Platt scaling parameters for ascending classes.

    The sign of a decision changes if the classes of its pair change places.
    """
    n_classes = len(order)
    place = np.argsort(order)
    class_of = np.repeat(np.arange(n_classes), head.n_support)
    pair_of = np.zeros((n_classes, n_classes), dtype=np.intp)
    pair_of[np.triu_indices(n_classes, k=1)] = np.arange(len(head.rho))
    dual_coef = np.zeros((n_classes - 1, len(coefs)))
    intercept, sigmoids = np.zeros_like(head.rho), np.zeros_like(head.sigmoids)
    for pair, (a, b) in enumerate(zip(*np.triu_indices(n_classes, k=1), strict=True)):
        first, second = place[a], place[b]
        sign = 1.0 if first < second else -1.0
        target = pair_of[min(first, second), max(first, second)]
        intercept[target] = -sign * head.rho[pair]
        if head.probability:
            # 1 - 1 / (1 + exp(a f + b)) equals 1 / (1 + exp(a (-f) + (-b))).
            sigmoids[:, target] = head.sigmoids[:, pair] * (1.0, sign)
        for this, other, column in ((a, b, b - 1), (b, a, a)):
            vectors = class_of == this
            against = place[other] - (place[other] > place[this])
            dual_coef[against, vectors] = sign * coefs[vectors, column]
    return dual_coef, intercept, sigmoids
