"""Tables of any kind: reading, roles of columns, and automatic preparation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moodcore.tables.columns import Column, Range, required_columns

if TYPE_CHECKING:
    from moodcore.tables.dataset import Dataset
    from moodcore.tables.preparation import TablePreparation
    from moodcore.tables.table_pipeline import TablePipeline, pipeline

__all__ = [
    "Column",
    "Dataset",
    "Range",
    "TablePipeline",
    "TablePreparation",
    "pipeline",
    "required_columns",
]

_HOMES = {
    "Dataset": "dataset",
    "TablePipeline": "table_pipeline",
    "TablePreparation": "preparation",
    "pipeline": "table_pipeline",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"moodcore.tables.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'moodcore.tables' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
