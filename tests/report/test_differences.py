"""The figure of candidates compared with the default model."""

import pandas as pd

from moodcore.report.pages.differences import differences_figure

GAIN = {"number": 0, "model": "gbt"}
FAMILIES = [{"model": "gbt", "varied": ["n_estimators", "boosting", "max_leaves"]}]


def test_candidates_with_long_hyperparameters_have_names_of_their_own():
    """All began and ended alike, and were cut in between: their names were equal."""
    candidates = [
        {"number": n, "model": "gbt", "n_estimators": 500, "max_leaves": leaves,
         "boosting": {"kind": "extra_trees", "extra_rate": 0.5},
         "score_fold_0": 0.7 + n / 100, "score_fold_1": 0.8}
        for n, leaves in ((2, 31), (1, 8))
    ]  # fmt: skip
    default = {"number": 0, "model": "gbt", "score_fold_0": 0.7, "score_fold_1": 0.8}
    search = {"gain": GAIN, "metric": "accuracy", "best": {"number": 2}, "families": FAMILIES}
    figure = differences_figure({"search": search}, pd.DataFrame([*candidates, default]))
    assert figure.frame["candidate"].tolist() == ["GBT #2", "GBT #1"]
    assert figure.frame["mean"].tolist() == [1.0, 0.5]
    first, second = figure.frame["hyperparameters"]
    assert "max_leaves 31" in first and "max_leaves 8" in second
