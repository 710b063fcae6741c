"""Tables as plain rows, for sentences and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping per row; None for what is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"model": ["GBT"], "log_loss": [float("nan")]}))
    [{'model': 'GBT', 'log_loss': None}]
    """
    plain = table.astype(object).where(table.notna(), None)
    return cast("list[dict[str, Any]]", plain.to_dict("records"))
