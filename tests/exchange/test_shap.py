"""`shap.TreeExplainer` reads the trees and computes the same Shapley values."""

import numpy as np
import pandas as pd
import pytest
from model_kinds import song_model

from moodcore import GBT, MLP, exchange

shap = pytest.importorskip("shap")


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_values_are_those_of_the_model(n_classes, strategy, table):
    X, y, new = table
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    model = GBT(15, random_state=0, multi_strategy=strategy)
    model.fit(X, np.minimum(y, n_classes - 1), sample_weight=weight)
    explainer = shap.TreeExplainer(exchange.shap_trees(model))
    expected = model.predict_contributions(new[:60])
    values, base = expected[..., :-1], expected[0, ..., -1]
    found = explainer.shap_values(new[:60])
    values = values if n_classes == 2 else np.moveaxis(values, 1, 2)
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(explainer.expected_value, base, rtol=0, atol=1e-12)


def test_values_relative_to_a_background_add_up_to_the_margin(table):
    X, y, new = table
    X, new = np.nan_to_num(X), np.nan_to_num(new)
    model = GBT(10, random_state=0).fit(X, y > 0)
    explainer = shap.TreeExplainer(exchange.shap_trees(model), X[:40])
    # Relative to a background, the package computes in single precision.
    found = explainer.shap_values(new[:20]).sum(axis=1) + explainer.expected_value
    np.testing.assert_allclose(found, model.decision_function(new[:20]), rtol=0, atol=1e-6)


def test_pipelines_take_the_columns_as_they_come(song_rows):
    model = song_model("trees", song_rows)
    rows = song_rows[2][list(model.feature_names_in_)].head(30)
    found = shap.TreeExplainer(exchange.shap_trees(model)).shap_values(rows)
    np.testing.assert_allclose(found, model.explain(rows).values, rtol=0, atol=1e-12)


def test_what_the_explainer_does_not_read_is_refused(table, mixed_table):
    X, y, _ = table
    with pytest.raises(TypeError, match="requires a GBT"):
        exchange.shap_trees(MLP(epochs=1).fit(np.nan_to_num(X), y))
    with pytest.raises(ValueError, match="only NaN as the missing value, got missing=-1"):
        exchange.shap_trees(GBT(2, missing=-1).fit(X, y))
    frame: pd.DataFrame = mixed_table[0]
    with pytest.raises(ValueError, match="column 'mood' is split by category"):
        exchange.shap_trees(GBT(3).fit(frame[["mood"]], mixed_table[1]))
