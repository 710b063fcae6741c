"""Every pair of classifiers, tested over the folds and on the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.runs.statistics import corrected_t_test, holm, mcnemar_test

if TYPE_CHECKING:
    import pandas as pd

#: Differences with a smaller corrected p-value count as real.
LEVEL = 0.05
_COLUMNS = (
    "first", "second", "difference", "difference_low", "difference_high", "t", "p_value",
    "only_first_right", "only_second_right", "test_p_value",
)  # fmt: skip


def compare_pairs(
    names: Sequence[str],
    accuracies: Mapping[str, Any],
    right: Mapping[str, Any],
    test_train_ratio: float,
) -> pd.DataFrame:
    """Test every pair, and correct both tests over all pairs (Holm).

    Parameters
    ----------
    names : sequence of str
        The classifiers, the most accurate first.
    accuracies : mapping of str to array-like of shape (n_folds,)
        Accuracies over the same folds.
    right : mapping of str to array-like of bool, shape (n_test_rows,)
        Whether each test row was put into its class.
    test_train_ratio : float
        Rows that judge in a fold for each row that trains.

    Returns
    -------
    DataFrame
        One row per pair. `verdict` is "better" where the corrected p-value over the folds is below
        0.05, "test only" where only that on the test rows is, else "no difference".
    """
    import pandas as pd

    rows = []
    for first, second in combinations(names, 2):
        t_test = corrected_t_test(accuracies[first], accuracies[second], test_train_ratio)
        mcnemar = mcnemar_test(right[first], right[second])
        rows.append(
            {
                "first": first,
                "second": second,
                "difference": t_test.difference.mean,
                "difference_low": t_test.difference.low,
                "difference_high": t_test.difference.high,
                "t": t_test.statistic,
                "p_value": t_test.p_value,
                "only_first_right": mcnemar.only_first,
                "only_second_right": mcnemar.only_second,
                "test_p_value": mcnemar.p_value,
            }
        )
    return _with_holm(pd.DataFrame(rows, columns=_COLUMNS))


def _with_holm(pairs: pd.DataFrame) -> pd.DataFrame:
    """Correct both tests over all pairs, and say what follows."""
    table = pairs.assign(
        p_holm=holm(pairs["p_value"]), test_p_holm=holm(pairs["test_p_value"])
    ).astype({"only_first_right": int, "only_second_right": int})
    folds, test = table["p_holm"] < LEVEL, table["test_p_holm"] < LEVEL
    verdict = np.select([folds, test], ["better", "test only"], "no difference")
    return table.assign(verdict=verdict)
