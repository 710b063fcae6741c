"""Automatic preparation of any table for a classifier, fitted on the training rows only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from moodcore.errors import missing_columns
from moodcore.estimators.categories import number_in
from moodcore.estimators.table_containers import named_table
from moodcore.estimators.tables import to_frame
from moodcore.preprocessing import BalancedClassifier
from moodcore.tables.columns import Column
from moodcore.tables.roles import FEATURE_ROLES, category_text, column_role, to_numbers, to_texts

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "native"]


def kind_of(estimator: Any) -> Kind:
    """Return the preparation that a classifier gets: "native" for boosted trees.

    Examples
    --------
    >>> from moodcore import GBT, MLP
    >>> kind_of(GBT()), kind_of(BalancedClassifier(MLP()))
    ('native', 'numeric')
    """
    from moodcore.estimators.gbt.estimator import GBT

    if isinstance(estimator, BalancedClassifier):
        estimator = estimator.estimator
    return "native" if isinstance(estimator, GBT) else "numeric"


@dataclass(frozen=True)
class PreparedColumn:
    """What was learned of a column in training.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"number", "boolean", "category"}
        What it holds.
    levels : tuple of str
        The categories, in the order of their codes; empty for numbers.
    has_other : bool
        Whether a further code stands for the rare categories.
    has_missing : bool
        Whether values were missing in training.
    median, center, scale : float
        Of numbers: what replaces a missing value, and the standardization of the min-max scaled
        column as one step, ``(value - center) / scale``.
    """

    name: str
    kind: Literal["number", "boolean", "category"]
    levels: tuple[str, ...] = ()
    has_other: bool = False
    has_missing: bool = False
    median: float = 0.0
    center: float = 0.0
    scale: float = 1.0


class TablePreparation(TransformerMixin, BaseEstimator):
    """Prepare the columns of any table for a classifier.

    Numbers, truth values and categories are recognized in the rows that `fit` gets. Constant
    columns, columns without values, identifiers (unique text) and dates are left out.

    Parameters
    ----------
    kind : {"numeric", "native"}, default="numeric"
        "numeric" gives an array of float32: missing numbers become the median and get a column
        that says so; numbers are standardized; each category gets a column of zeros and ones,
        with one for the rare ones. "native" gives a DataFrame of numbers with NaN and of
        categories, as boosted trees take them.
    columns : sequence of str or None, default=None
        The columns to use, whatever their role; None chooses them.
    min_frequency : int, default=10
        Rows that a category needs for a column of its own ("numeric").
    max_categories : int, default=100
        Columns that one category column may become ("numeric").

    Attributes
    ----------
    columns_ : tuple of PreparedColumn
        The columns used.
    left_out_ : dict of str to str
        The columns left out, and their role.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"tempo": [90.0, None, 150.0], "key": ["a", "b", "a"]})
    >>> TablePreparation(min_frequency=1).fit(table).get_feature_names_out().tolist()
    ['tempo', 'tempo is missing', 'key=a', 'key=b']
    """

    columns_: tuple[PreparedColumn, ...]
    left_out_: dict[str, str]

    def __init__(
        self,
        kind: Kind = "numeric",
        *,
        columns: Sequence[str] | None = None,
        min_frequency: int = 10,
        max_categories: int = 100,
    ) -> None:
        self.kind = kind
        self.columns = columns
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn roles, medians, scales and categories.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            The training rows.
        y : ignored

        Returns
        -------
        TablePreparation
            This transformer.
        """
        if self.kind not in ("numeric", "native"):
            raise ValueError(f"kind must be 'numeric' or 'native', got {self.kind!r}")
        frame = _read(X)
        chosen = None if self.columns is None else list(self.columns)
        if chosen is not None:
            _check_present(chosen, frame)
        columns, left_out = [], {}
        for name in frame.columns if chosen is None else chosen:
            role = column_role(frame[name])
            if role.role in FEATURE_ROLES:
                columns.append(self._learn(frame[name], role.role))
            elif chosen is not None and role.role == "id":
                columns.append(self._learn(frame[name], "category"))
            else:
                left_out[str(name)] = role.role
        if not columns:
            raise ValueError(
                f"no column is left to learn from (n_samples={len(frame)}); left out: {left_out}"
            )
        _warn_of(left_out)
        state = {
            "columns_": tuple(columns),
            "left_out_": left_out,
            "n_features_in_": frame.shape[1],
        }
        if named_table(X) is not None:
            # Other columns of a table with names are ignored.
            state["n_features_in_"] = len(columns)
            state["feature_names_in_"] = np.array([c.name for c in columns], dtype=object)
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(state)
        return self

    def transform(self, X: Any) -> Any:
        """Prepare a table.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Columns are found by name, in any order; others are ignored.

        Returns
        -------
        ndarray of float32 or DataFrame
            See `kind`.

        Raises
        ------
        ValueError
            When a column is missing, or text is found where numbers were.
        """
        check_is_fitted(self, "columns_")
        frame = _read(X)
        if not hasattr(self, "feature_names_in_") and frame.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {frame.shape[1]} features, but TablePreparation is expecting "
                f"{self.n_features_in_} features as input"
            )
        _check_present([column.name for column in self.columns_], frame)
        if self.kind == "native":
            return self._native(frame)
        blocks = [_numeric_block(column, frame[column.name]) for column in self.columns_]
        return np.ascontiguousarray(np.hstack(blocks), dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self, "columns_")
        names: list[str] = []
        for column in self.columns_:
            if self.kind == "native":
                names.append(column.name)
                continue
            if column.kind == "category":
                names += [f"{column.name}={level}" for level in column.levels]
                names += [f"{column.name} is other"] * column.has_other
            else:
                names.append(column.name)
            if column.has_missing:
                names.append(f"{column.name} is missing")
        return np.array(names, dtype=object)

    def source_columns(self) -> list[str]:
        """Return, for each column that `transform` gives, the column that it comes from."""
        check_is_fitted(self, "columns_")
        return [column.name for column in self.columns_ for _ in range(self._width(column))]

    def required_columns(self) -> list[Column]:
        """Return the columns that the fitted preparation needs."""
        check_is_fitted(self, "columns_")
        return [
            Column(
                column.name,
                column.kind,
                may_be_missing=True,
                categories=column.levels if column.kind == "category" else None,
            )
            for column in self.columns_
        ]

    def _width(self, column: PreparedColumn) -> int:
        if self.kind == "native":
            return 1
        is_category = column.kind == "category"
        codes = len(column.levels) + column.has_other if is_category else 1
        return codes + column.has_missing

    def _learn(self, values: pd.Series[Any], role: Any) -> PreparedColumn:
        name = str(values.name)
        if role == "category":
            codes, texts = to_texts(values)
            has_missing = bool((codes < 0).any())
            counts = np.bincount(codes[codes >= 0], minlength=len(texts))
            order = sorted(range(len(texts)), key=lambda at: (-counts[at], texts[at]))
            if self.kind == "numeric":
                kept = [at for at in order if counts[at] >= self.min_frequency]
                rare = len(kept) < len(order) or len(kept) > self.max_categories
                order = kept[: self.max_categories - 1] if len(kept) > self.max_categories else kept
            else:
                rare = False
            levels = tuple(sorted(texts[at] for at in order))
            return PreparedColumn(name, "category", levels, rare, has_missing)
        numbers = _checked_numbers(values, lenient=True)
        present = numbers[~np.isnan(numbers)]
        median = float(np.median(present))
        filled = np.where(np.isnan(numbers), median, numbers)
        center, scale = _standardization(filled)
        return PreparedColumn(
            name,
            role,
            has_missing=len(present) < len(numbers),
            median=median,
            center=center,
            scale=scale,
        )

    def _native(self, frame: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Any] = {}
        for column in self.columns_:
            values = frame[column.name]
            if column.kind == "category":
                codes = _codes(column, values)
                codes[(codes < 0) | (codes >= len(column.levels))] = -1
                columns[column.name] = pd.Categorical.from_codes(
                    codes, categories=pd.Index(column.levels, dtype=object)
                )
            else:
                columns[column.name] = _checked_numbers(values)
        return pd.DataFrame(columns, index=frame.index)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _numeric_block(column: PreparedColumn, values: pd.Series[Any]) -> NDArray[np.float64]:
    """Return the columns of numbers that one column of the table becomes."""
    if column.kind == "category":
        codes = _codes(column, values)
        width = len(column.levels) + column.has_other
        codes[codes >= width] = -1
        block = np.zeros((len(codes), width + column.has_missing))
        rows = np.flatnonzero(codes >= 0)
        block[rows, codes[rows]] = 1.0
        missing = codes == _MISSING
    else:
        numbers = _checked_numbers(values)
        missing = np.isnan(numbers)
        filled = np.where(missing, column.median, numbers)
        block = np.zeros((len(numbers), 1 + column.has_missing))
        block[:, 0] = (filled - column.center) / column.scale
    if column.has_missing:
        block[missing, -1] = 1.0
    return block


_MISSING = -2
# In fewer rows, categories that training did not have are no surprise.
_SUSPICIOUS_ROWS = 10


def _codes(column: PreparedColumn, values: pd.Series[Any]) -> NDArray[np.intp]:
    """Return the code of each value: that after the levels for an unseen one, -2 for missing."""
    codes, texts = to_texts(values)
    places = {level: at for at, level in enumerate(column.levels)}
    unseen = len(column.levels)
    lookup = np.array([*(_place(text, places, unseen) for text in texts), _MISSING])
    if values.dtype.kind in "iufb" and unseen in lookup and not any(map(_is_number, places)):
        raise ValueError(
            f"column {column.name!r} held categories such as {column.levels[0]!r} in training, got "
            f"numbers ({texts[0]}); convert them to these categories"
        )
    is_suspicious = column.levels and len(texts) and len(codes) >= _SUSPICIOUS_ROWS
    # Without levels, all categories of training were rare, or it had none.
    if is_suspicious and (lookup[:-1] == unseen).all():
        warnings.warn(
            f"column {column.name!r} holds none of the categories of training, such as "
            f"{column.levels[0]!r}, but {texts[0]!r}",
            UserWarning,
            stacklevel=2,
        )
    found: NDArray[np.intp] = lookup[codes]
    return found


def _is_number(text: str) -> bool:
    return number_in(text) is not None


def _place(text: str, places: dict[str, int], unseen: int) -> int:
    """Return the code of a category; the text of a number is matched by its value."""
    if text in places:
        return places[text]
    stripped = text.strip()
    number = number_in(stripped)
    if number is not None and np.isfinite(number):
        stripped = stripped.capitalize() if stripped.isalpha() else category_text(number)
    return places.get(stripped, unseen)


def _checked_numbers(values: pd.Series[Any], *, lenient: bool = False) -> NDArray[np.float64]:
    numbers, bad = to_numbers(values)
    wrong = np.isinf(numbers) if lenient else bad | np.isinf(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        value = values.iloc[row]
        value = value.item() if isinstance(value, np.generic) else value
        raise ValueError(
            f"column {values.name!r}: row {row} holds {value!r}; "
            "allowed are finite numbers, or no value"
        )
    return numbers


def _standardization(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return center and scale of min-max scaling followed by standardization, as one step."""
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if spread == 0 or not np.isfinite(spread):
        return low, 1.0
    scaled = (values - low) / spread
    return low + float(scaled.mean()) * spread, float(scaled.std()) * spread


def _read(X: Any) -> pd.DataFrame:
    frame = to_frame(X, strict=False)
    if not len(frame) or not frame.shape[1]:
        what = "sample" if not len(frame) else "feature"
        raise ValueError(
            f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is required."
        )
    return frame


def _check_present(names: Sequence[str], frame: pd.DataFrame) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(missing_columns(missing, [str(name) for name in frame.columns]))


def _warn_of(left_out: dict[str, str]) -> None:
    named = {"id": "identifiers (unique values)", "date": "dates"}
    for role, words in named.items():
        names = [repr(name) for name, why in left_out.items() if why == role]
        if names:
            warnings.warn(f"left out {words}: {', '.join(names)}", UserWarning, stacklevel=3)
