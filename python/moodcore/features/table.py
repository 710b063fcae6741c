"""The table of a study: columns of numbers and of categories, and a code for each label."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table that was checked.

    Attributes
    ----------
    X : DataFrame of shape (n_rows, n_features)
        float64 and categorical columns, named by strings, rows numbered from 0; NaN where a value
        is missing.
    y : ndarray of shape (n_rows,), int64
        Position of each row's class in `classes`.
    classes : tuple of str
        Names of the classes.
    """

    X: pd.DataFrame
    y: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the order of the table."""
        return tuple(self.X.columns)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The features that are numbers."""
        return numbers_of(self.X)

    def fingerprint(self) -> str:
        """Return the SHA-256 of names, values, categories and labels."""
        digest = hashlib.sha256(repr((self.names, self.classes)).encode())
        for name in self.names:
            column = self.X[name]
            if isinstance(column.dtype, _categorical()):
                digest.update(repr(list(column.cat.categories)).encode())
                digest.update(column.cat.codes.to_numpy(dtype="<i8").tobytes())
            else:
                digest.update(column.to_numpy(dtype="<f8").tobytes())
        digest.update(self.y.astype("<i8").tobytes())
        return digest.hexdigest()


def numbers_of(X: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the columns that are numbers; the others are categories."""
    return tuple(name for name in X.columns if not isinstance(X[name].dtype, _categorical()))


def check_table(X: Any, y: ArrayLike, classes: Sequence[str] | None = None) -> Table:
    """Check a table and its labels.

    Parameters
    ----------
    X : table of shape (n_rows, n_features)
        pandas, Arrow, Polars or NumPy. Numbers may be missing (NaN), but not infinite; columns of
        strings, objects or categories are categories.
    y : array-like of shape (n_rows,)
        Class labels, at least two classes.
    classes : sequence of str or None, default=None
        Name of each class, in the order of the sorted labels; None means the labels themselves.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If there are not two features or not two classes, names repeat, a label is missing, or a
        column is of another kind or holds infinity; says which and where.

    Examples
    --------
    >>> table = check_table({"tempo": [90.0, 120.0], "key": ["C", "D"]}, ["sad", "happy"])
    >>> table.names, table.numbers, table.classes, table.y.tolist()
    (('tempo', 'key'), ('tempo',), ('happy', 'sad'), [1, 0])
    """
    from sklearn.utils import column_or_1d

    frame = _frame(X)
    labels = column_or_1d(y)
    if len(labels) != len(frame):
        raise ValueError(f"X has {len(frame):,} rows and y has {len(labels):,} labels")
    if frame.shape[1] < 2:
        raise ValueError(f"a study needs at least two features, got {frame.shape[1]}")
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"X: {repeated[0]!r} is the name of more than one column")
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    for name in names:
        frame[name] = _column(frame[name], name)
    found, codes = _codes(labels)
    if classes is not None and len(classes) != len(found):
        raise ValueError(f"classes: {len(classes)} names for {len(found)} classes")
    shown = tuple(str(label) for label in (found if classes is None else classes))
    return Table(frame, codes, shown)


def check_names(what: str, names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the names, if each is that of a column and occurs once.

    Raises
    ------
    ValueError
        If one does not; says which, and the nearest that is.
    """
    if isinstance(names, str) or not len(names):
        raise ValueError(f"{what} must name at least one feature, got {names!r}")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"{what}: there is no feature {name!r}; {hint}")
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must name each feature once, got {list(names)}")
    return tuple(names)


def _frame(X: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "__arrow_c_stream__"):
        import pyarrow as pa

        return pa.table(X).to_pandas()
    if isinstance(X, dict):
        return pd.DataFrame(X)
    from sklearn.utils import check_array

    values = check_array(X, dtype=np.float64, ensure_all_finite=False)
    return pd.DataFrame(values, columns=[f"x{number}" for number in range(values.shape[1])])


def _column(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    import pandas as pd
    from pandas.api import types

    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        values = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            raise ValueError(
                f"X: column {name!r} has {values[infinite[0]]} in row {infinite[0]}; numbers must "
                f"be finite or missing"
            )
        return pd.Series(values, index=column.index)
    if types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype):
        return column.astype(str).where(column.notna()).astype("category")
    raise ValueError(
        f"X: column {name!r} has the type {column.dtype}; numbers and categories can be studied"
    )


def _codes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    import pandas as pd
    from sklearn.utils.multiclass import check_classification_targets

    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ValueError(f"y: the label of row {missing[0]} is missing")
    check_classification_targets(labels)
    found, codes = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"y: all rows have the label {found[0]!r}; two classes are needed")
    return found, codes.astype(np.int64)


def _categorical() -> type:
    import pandas as pd

    return pd.CategoricalDtype
