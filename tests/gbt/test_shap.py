"""Contributions held against the `shap` package, which is given our trees as plain arrays."""

import numpy as np
import pytest

from moodcore import GBT

shap = pytest.importorskip("shap")


def tree_arrays(nodes, n_outputs, output):
    """A tree as `shap` takes it: arrays of children, features, thresholds, values, weights."""
    place = {name: at for at, name in enumerate(nodes["ID"])}
    leaf = (nodes["Feature"] == "Leaf").to_numpy()
    child = {
        side: np.array(
            [-1 if end else place[name] for end, name in zip(leaf, nodes[side], strict=True)]
        )
        for side in ("Yes", "No", "Missing")
    }
    values = np.zeros((len(nodes), n_outputs))
    values[leaf, output] = nodes["Gain"][leaf].astype(float)
    feature = [
        -2 if end else int(name[1:]) for end, name in zip(leaf, nodes["Feature"], strict=True)
    ]
    return {
        "children_left": child["Yes"],
        "children_right": child["No"],
        "children_default": child["Missing"],
        "features": np.array(feature),
        "thresholds": np.where(leaf, 0.0, nodes["Split"].astype(float)),
        "values": values,
        "node_sample_weight": nodes["Cover"].to_numpy(),
    }


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_contributions_are_those_of_shap(n_classes, missing):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 5))
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-0.3, 0.5][: n_classes - 1])
    X[rng.random(X.shape) < missing] = np.nan
    model = GBT(6, max_leaves=8, min_child_samples=5).fit(X, y)
    frame = model.trees_to_dataframe()
    n_outputs = 1 if n_classes == 2 else n_classes
    trees = [
        tree_arrays(nodes.reset_index(drop=True), n_outputs, number % n_outputs)
        for number, nodes in frame.groupby("Tree")
    ]
    explainer = shap.TreeExplainer({"trees": trees}, feature_perturbation="tree_path_dependent")
    expected = explainer.shap_values(X[:50], check_additivity=False)
    found = model.predict_contributions(X[:50])
    if n_outputs == 1:
        np.testing.assert_allclose(found[:, :-1], expected.reshape(50, 5), atol=1e-5)
    else:
        np.testing.assert_allclose(found[:, :, :-1], np.moveaxis(expected, 2, 1), atol=1e-5)
