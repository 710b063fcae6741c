"""Every pair of models, tested over the folds and on the test rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.runs.statistics import corrected_t_test, holm, mcnemar_test

if TYPE_CHECKING:
    import pandas as pd

#: Differences with a smaller Holm-adjusted p-value are significant.
LEVEL = 0.05
#: Scores per model that the t-test needs: with fewer, its variance is a guess, and it finds
#: differences between equal models more often than its level.
MIN_SCORES = 5
BETTER, TEST_ONLY = "better", "test only"
NO_DIFFERENCE, TOO_FEW = "no difference", "not enough folds"
_COLUMNS = (
    "first", "second", "difference", "difference_low", "difference_high", "t", "p_value",
    "only_first_right", "only_second_right", "test_p_value",
)  # fmt: skip


def compare_pairs(
    names: Sequence[str],
    accuracies: Mapping[str, Any],
    correct: Mapping[str, Any],
    test_train_ratio: float,
    *,
    step: float = 0.0,
) -> pd.DataFrame:
    """Test every pair, and adjust the p-values of both tests over all pairs (Holm).

    Parameters
    ----------
    names : sequence of str
        The models, the most accurate first.
    accuracies : mapping of str to ndarray of shape (n_folds,)
        Accuracies over the same folds.
    correct : mapping of str to ndarray of bool, shape (n_test_rows,)
        Whether each test row was predicted correctly.
    test_train_ratio : float
        Validation rows of a fold per training row.
    step : float, default=0.0
        Accuracy that one row of a fold makes (see `corrected_t_test`).

    Returns
    -------
    DataFrame
        One row per pair. `verdict` is "better" where the adjusted p-value over the folds is below
        0.05, "test only" where only that on the test rows is, else "no difference", or "not
        enough folds" where there are fewer than five scores per model.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for first, second in combinations(names, 2):
        scores = np.asarray(accuracies[first]), np.asarray(accuracies[second])
        folds: tuple[float, ...] = (float(np.mean(scores[0] - scores[1])), *[math.nan] * 4)
        if len(scores[0]) >= MIN_SCORES:
            test = corrected_t_test(*scores, test_train_ratio, step=step)
            interval = test.difference
            folds = (interval.mean, interval.low, interval.high, test.statistic, test.p_value)
        mcnemar = mcnemar_test(correct[first], correct[second])
        counts = mcnemar.only_first, mcnemar.only_second, mcnemar.p_value
        rows.append((first, second, *folds, *counts))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table = table.assign(p_holm=holm(table["p_value"]), test_p_holm=holm(table["test_p_value"]))
    verdict = np.select(
        [table["p_holm"] < LEVEL, table["test_p_holm"] < LEVEL, table["p_value"].isna()],
        [BETTER, TEST_ONLY, TOO_FEW],
        NO_DIFFERENCE,
    )
    return table.astype({"only_first_right": int, "only_second_right": int}).assign(verdict=verdict)
