"""Pictures of trees: what they say, that all of it can be read, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from readable import clipped, overlapping, texts_of, visible_texts

from moodcore import GBT, plots
from moodcore.plots.style import BLUE, ORANGE

SHARES = {"tempo": 0.05, "energy": 0.7, "valence": 0.25}


def table(max_leaves=4, X=None):
    """The nodes of a tree, of four leaves where nothing else is asked."""
    x = np.linspace(-1, 1, 40)
    X = pd.DataFrame({"energy": x}) if X is None else X
    model = GBT(1, max_leaves=max_leaves, min_child_samples=2)
    return model.fit(X, (np.sin(7 * x) > 0).astype(int)).trees_to_dataframe()


def moods():
    """Columns of categories and of missing values."""
    moods = np.array(["sad", "calm", "happy", "wild", "tender", "sad", "calm", "grim"])
    return pd.DataFrame(
        {
            "mood": pd.Categorical(np.resize(moods, 40)),
            "energy": np.where(np.arange(40) % 3, np.nan, np.linspace(-1, 1, 40)),
        }
    )


PICTURES = {
    "tree": lambda: plots.tree_diagram(table()),
    "stump": lambda: plots.tree_diagram(table(max_leaves=2)),
    "categories": lambda: plots.tree_diagram(table(max_leaves=8, X=moods())),
    "importance": lambda: plots.feature_importance({"energy": 12.5, "tempo": 0.25}),
    "marked": lambda: plots.feature_importance(SHARES, kind="share", dropped=["valence"]),
    "many": lambda: plots.feature_importance({f"feature {n}": n * n for n in range(60)}),
    "nothing": lambda: plots.feature_importance({"energy": 0.0, "tempo": 0.0}),
}


def bars_of(ax):
    """The bars from the top, each its feature, length, color and whether it is hatched."""
    names = dict(zip(ax.get_yticks(), [text.get_text() for text in ax.get_yticklabels()], strict=1))
    bars = sorted(ax.patches, key=lambda bar: bar.get_y() + bar.get_height() / 2)
    return [
        (
            names[round(bar.get_y() + bar.get_height() / 2)],
            bar.get_width(),
            to_hex(bar.get_facecolor()).upper(),
            bool(bar.get_hatch()),
        )
        for bar in bars
    ]


@pytest.mark.parametrize("name", PICTURES)
def test_every_text_can_be_read(name):
    """None leaves the figure, none lies on another."""
    texts = visible_texts(PICTURES[name]().figure)
    assert len(texts) > 3
    assert clipped(texts) == []
    assert overlapping(texts) == []


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_picture_gives_the_same_file(name):
    first, second = (plots.figure_svg(PICTURES[name]().figure) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.tree_diagram(table(), ax=ax),
        lambda ax: plots.feature_importance(SHARES, ax=ax),
    ],
)
def test_pictures_go_into_given_axes(draw):
    left, right = Figure().subplots(1, 2)
    assert draw(left) is left
    assert left.has_data()
    assert not right.has_data()


def test_importances_say():
    ax = plots.feature_importance({"tempo": 0.25, "energy": 1234.5}, kind="total_gain")
    assert bars_of(ax) == [("energy", 1234.5, BLUE, False), ("tempo", 0.25, BLUE, False)]
    assert {"energy", "tempo", "1,234", "0.25", "importance (total gain)"} <= set(texts_of(ax))
    assert ax.get_legend() is None


def test_only_the_largest_importances_are_drawn():
    values = {f"feature {n}": float(n % 7) for n in range(30)}
    for most in (1, 5, 20):
        ax = plots.feature_importance(values, max_features=most)
        assert [length for _, length, *_ in bars_of(ax)] == sorted(values.values())[::-1][:most]
    assert len(bars_of(plots.feature_importance(values))) == 20
    # Of equal ones the first.
    first = [name for name, *_ in bars_of(plots.feature_importance(values, max_features=2))]
    assert first == ["feature 6", "feature 13"]


def test_shares_are_per_cent_and_dropped_features_are_marked():
    ax = plots.feature_importance(SHARES, kind="share", dropped=["valence", "loudness"])
    assert bars_of(ax) == [
        ("energy", 0.7, BLUE, False),
        ("valence", 0.25, ORANGE, True),
        ("tempo", 0.05, BLUE, False),
    ]
    said = set(texts_of(ax))
    assert {"70.0 %", "25.0 %", "5.0 %", "share of the total gain"} <= said
    assert {"correlation filter", "kept", "dropped"} <= said


def test_tree_says():
    nodes = table()
    texts = texts_of(plots.tree_diagram(nodes))
    inner = nodes[nodes["Feature"] != "Leaf"]
    assert len(inner) == 3
    questions = [f"energy <= {split:.4g}" for split in inner["Split"]]
    leaves = [f"{value:.6g}" for value in nodes.loc[nodes["Feature"] == "Leaf", "Gain"]]
    answers = [text for text in texts if text.startswith(("yes", "no"))]
    assert sorted(text for text in texts if text not in answers) == sorted(questions + leaves)
    assert sum(text.startswith("yes") for text in answers) == 3
    assert sum(text.endswith(", missing") for text in answers) == 3


def test_yes_is_on_the_left():
    nodes = table().set_index("ID")
    ax = plots.tree_diagram(nodes.reset_index())
    # Texts are in the order of the nodes.
    place = dict(zip(nodes.index, [text.get_position() for text in ax.texts], strict=False))
    for name, node in nodes[nodes["Feature"] != "Leaf"].iterrows():
        (x, y), yes, no = place[name], place[node["Yes"]], place[node["No"]]
        assert yes[0] < x < no[0]
        assert yes[1] == no[1] == y - 1


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["sad"], "mood in sad"),
        (["sad", "calm", "wild"], "mood in sad, calm, wild"),
        (["sad", "calm", "wild", "grim", "tender"], "mood in sad, calm, wild and 2 more"),
    ],
)
def test_long_lists_of_categories_are_counted(labels, says):
    nodes = table(max_leaves=2).astype({"Category": object})
    nodes.at[0, "Feature"], nodes.at[0, "Category"] = "mood", labels
    assert says in texts_of(plots.tree_diagram(nodes))


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.feature_importance({}), "must be a feature to draw, got 0"),
        (lambda: plots.feature_importance(SHARES, max_features=0), "max_features=0"),
        (lambda: plots.feature_importance({"energy": -1.0}), r"values\['energy'\] .* got -1.0"),
        (lambda: plots.feature_importance({"energy": np.nan}), r"0 or more, got nan"),
        (lambda: plots.feature_importance({"energy": np.inf}), r"0 or more, got inf"),
        (
            lambda: plots.feature_importance({"energy": 1.5}, kind="share"),
            r"values\['energy'\] must be in \[0, 1\], got 1.5",
        ),
        (lambda: plots.tree_diagram(table().drop(columns="Gain")), "missing: Gain"),
        (lambda: plots.tree_diagram(table()[:0]), "nodes must have at least one row"),
    ],
)
def test_wrong_input_says_what_is_allowed(draw, says):
    with pytest.raises(ValueError, match=says):
        draw()
