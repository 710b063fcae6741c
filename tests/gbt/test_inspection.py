"""Trees as tables, text and pictures; importances; slices."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from moodcore import GBT


def quick(**params):
    return GBT(**{"n_estimators": 4, "max_leaves": 6, "random_state": 0} | params)


@pytest.fixture(scope="module")
def lettered(gaps):
    """The rows as a frame with a column of letters that matters."""
    X, y = gaps
    letters = np.random.default_rng(0).choice(list("abcdef"), len(y))
    frame = pd.DataFrame(X, columns=list("uvwxy")).assign(letter=pd.Categorical(letters))
    return frame, np.where(np.isin(letters, ["a", "d"]), 2 - y, y)


def walked(table, frame):
    """Margins of the rows by walking through the table of nodes."""
    rows = {node["ID"]: node for node in table.to_dict("records")}

    def leaf(tree, row):
        node = rows[f"{tree}-0"]
        while node["Feature"] != "Leaf":
            value = row[node["Feature"]]
            if pd.isna(value):
                node = rows[node["Missing"]]
            elif isinstance(node["Category"], list):
                node = rows[node["Yes" if value in node["Category"] else "No"]]
            else:
                node = rows[node["Yes" if value <= node["Split"] else "No"]]
        return node["Gain"]

    trees = table["Tree"].unique()
    return np.array([[leaf(tree, row) for tree in trees] for row in frame.to_dict("records")])


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_the_table_of_nodes_is_the_model(strategy, lettered):
    frame, y = lettered
    model = quick(multi_strategy=strategy, base_score=[0.3, 0.3, 0.4]).fit(frame, y)
    table = model.trees_to_dataframe()
    assert table.columns.tolist()[:6] == ["Tree", "Node", "ID", "Feature", "Split", "Yes"]
    assert "letter" in set(table["Feature"])
    leaves = walked(table, frame[:100])
    if strategy == "one_output_per_tree":
        margins = leaves.reshape(100, 4, 3).sum(axis=1)
    else:
        margins = leaves.sum(axis=1)
    expected = model.decision_function(frame[:100]) - np.log([0.3, 0.3, 0.4])
    np.testing.assert_allclose(margins, expected, atol=1e-12)


def test_the_text_shows_every_node(lettered):
    model = quick().fit(*lettered)
    lines = model.dump().splitlines()
    table = model.trees_to_dataframe()
    assert len(lines) == len(table) + model.n_trees_
    assert sum("letter in [" in line for line in lines) == (table["Feature"] == "letter").sum()
    assert sum(": value " in line for line in lines) == (table["Feature"] == "Leaf").sum()
    vector = quick(multi_strategy="multi_output_tree").fit(*lettered)
    assert vector.dump().count(",") > 10


def test_importances_are_those_of_the_table(lettered):
    frame, y = lettered
    model = quick().fit(frame, y)
    table = model.trees_to_dataframe()
    splits = table[table["Feature"] != "Leaf"].astype({"Gain": float}).groupby("Feature")
    expected = {
        "split": splits.size(),
        "weight": splits.size(),
        "gain": splits["Gain"].mean(),
        "total_gain": splits["Gain"].sum(),
        "cover": splits["Cover"].mean(),
        "total_cover": splits["Cover"].sum(),
    }
    for kind, values in expected.items():
        ours = pd.Series(model.importances(kind), frame.columns)
        np.testing.assert_allclose(ours[ours > 0], values.reindex(ours[ours > 0].index))
        assert (ours > 0).sum() == len(values)
    assert model.feature_importances_.sum() == pytest.approx(1)
    with pytest.raises(
        ValueError, match=r"one of 'gain', 'total_gain', .* got 'gains'; did you mean 'gain'"
    ):
        model.importances("gains")


def test_slices(gaps):
    X, y = gaps
    model = quick(n_estimators=9).fit(X, y)
    stages = list(model.staged_decision_function(X))
    assert len(stages) == 9
    for rounds in (1, 5, 9):
        assert model[:rounds].decision_function(X).tobytes() == stages[rounds - 1].tobytes()
    parts = [model[:4], model[4:], model[-2:]]
    assert [part.n_iter_ for part in parts] == [4, 5, 2]
    base = np.array(model.core_model_.base)
    total = sum(part.decision_function(X) - base for part in parts[:2]) + base
    np.testing.assert_allclose(total, stages[-1], atol=1e-12)
    for proba, labels, margins in zip(
        model.staged_predict_proba(X), model.staged_predict(X), stages, strict=True
    ):
        assert (proba.argmax(axis=1) == labels).all() and (margins.argmax(axis=1) == labels).all()
    for wrong in (slice(0, 0), slice(None, None, 2), slice(9, 20), slice(None, None, -1)):
        with pytest.raises(ValueError, match="rounds must be a slice without step of 0 to 9"):
            model[wrong]
    with pytest.raises(TypeError, match=r"rounds must be a slice, model\[a:b\], got 3"):
        model[3]
    assert model.n_iter_ == 9


def test_pictures(lettered):
    frame, y = lettered
    model = quick(multi_strategy="multi_output_tree").fit(frame, y)
    for tree in (0, 3):
        ax = model.plot_tree(tree)
        count = (model.trees_to_dataframe()["Tree"] == tree).sum()
        assert len(ax.texts) == count + (count - 1)
    with pytest.raises(ValueError, match="tree must be from 0 to 3, got 4"):
        model.plot_tree(4)
    figure, own = plt.subplots()
    assert model.plot_importance("weight", max_features=3, ax=own) is own
    assert len(own.patches) == 3
    plt.close(figure)
    stump = GBT(1, gamma=1e9).fit(frame, y)
    assert len(stump.plot_tree().texts) == 1
