"""What a model needs of the columns of a table, and the values that each may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple


class Range(NamedTuple):
    """The values that a column may hold, both ends included.

    Attributes
    ----------
    low, high : float
        In the unit of the column.
    unit : str
        Empty for shares.
    """

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.low:,.10g} to {self.high:,.10g}" + (f" {self.unit}" if self.unit else "")


@dataclass(frozen=True)
class Column:
    """A column that a model needs.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"number", "boolean", "category"}
        What it holds.
    allowed : Range or None
        The numbers that it may hold; None means any finite number.
    may_be_missing : bool
        Whether the model takes rows in which the value is missing.
    categories : tuple or None
        The categories seen in training, of a column of categories.
    """

    name: str
    kind: Literal["number", "boolean", "category"] = "number"
    allowed: Range | None = None
    may_be_missing: bool = False
    categories: tuple[Any, ...] | None = None


def required_columns(model: Any) -> list[Column]:
    """Return the columns that a fitted model needs, by name.

    Parameters
    ----------
    model : classifier or pipeline
        Fitted on a table with column names.

    Raises
    ------
    ValueError
        When the model was trained on a table without names.
    """
    own = getattr(model, "required_columns", None)
    if own is not None:
        columns: list[Column] = own()
        return columns
    steps = getattr(model, "steps", None)
    inner = steps[0][1] if steps else getattr(model, "estimator_", None)
    if inner is not None and getattr(inner, "feature_names_in_", None) is not None:
        return required_columns(inner)
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise ValueError(
            "the model was trained on a table without column names, so that the columns of a "
            "table cannot be matched; train it on a DataFrame"
        )
    schema = getattr(model, "table_schema_", None)
    if schema is None:
        return [Column(str(name)) for name in names]
    return [
        Column(
            str(name),
            "number" if categories is None else "category",
            may_be_missing=True,
            categories=None if categories is None else tuple(categories),
        )
        for name, categories in zip(names, schema.categories, strict=True)
    ]
