"""Tables as plain rows, for sentences and JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping per row; None for what is missing or infinite, which JSON cannot hold.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"model": ["GBT"], "log_loss": [float("nan")], "t": [float("inf")]}))
    [{'model': 'GBT', 'log_loss': None, 't': None}]
    """
    there = table.notna() & ~table.isin([math.inf, -math.inf])
    plain = table.astype(object).where(there, None)
    return cast("list[dict[str, Any]]", plain.to_dict("records"))
