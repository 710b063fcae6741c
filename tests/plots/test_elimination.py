"""Pictures of what features are worth: what they say, that it can be read, and that they repeat."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from readable import clipped, figure_of, overlapping, texts_of, visible_texts

from moodcore import plots, songs

TITLES = {"mlp": "MLP", "gbt": "GBT", "logistic-regression": "logistic regression"}
MODELS = ("mlp", "gbt", "svm", "linear-svm", "logistic-regression")


def choices(models=MODELS, n_features=10, sizes=range(9, 0, -1)):
    """A table as a study gives it: accuracy falls with the number of features."""
    named = [("all", "all", n_features), ("published", "named", 7)]
    named += [(f"filter {t}", "filter", n) for t, n in ((0.9, 10), (0.8, 8.6), (0.7, 7), (0.5, 6))]
    named += [(f"eliminated to {size}", "elimination", size) for size in sizes]
    rows = [
        (name, kind, size, model, 0.95 - 0.03 * at - 0.004 * (n_features - size) ** 2)
        for name, kind, size in named
        for at, model in enumerate(models)
    ]
    frame = pd.DataFrame(rows, columns=["choice", "kind", "n_features", "model", "accuracy"])
    frame = frame.assign(accuracy_std=0.004, cost=0.004 * (n_features - frame["n_features"]) ** 2)
    return frame.assign(cost_low=frame["cost"] - 0.01, cost_high=frame["cost"] + 0.02)


def measures(rows=songs.FEATURES, columns=9):
    rng = np.random.default_rng(0)
    names = [f"shuffled, model {n}, points" for n in range(columns)]
    return pd.DataFrame(rng.uniform(-0.5, 30, (len(rows), columns)), list(rows), names)


PICTURES = {
    "curves": lambda: plots.elimination_curves(choices(), titles=TITLES),
    "curves of one model": lambda: plots.elimination_curves(choices(["gbt"])),
    "curves of many features": lambda: plots.elimination_curves(
        choices(n_features=200, sizes=(150, 80, 20, 3, 1))
    ),
    "costs": lambda: plots.elimination_costs(choices(), titles=TITLES),
    "costs of one model": lambda: plots.elimination_costs(choices(["gbt"], sizes=[5])),
    "measures": lambda: plots.feature_measures(measures(), marked=songs.CORRELATED),
    "one measure": lambda: plots.feature_measures(measures(["energy"], 1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_text_can_be_read(name):
    drawn = PICTURES[name]()
    assert isinstance(drawn, Axes)
    texts = visible_texts(figure_of(drawn))
    assert clipped(texts) == []
    assert overlapping(texts) == []


@pytest.mark.parametrize("name", ["curves", "costs", "measures"])
def test_the_same_picture_gives_the_same_file(name):
    figure, again = (figure_of(PICTURES[name]()) for _ in range(2))
    assert plots.figure_svg(figure, name=name) == plots.figure_svg(again, name=name)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.elimination_curves(choices(), ax=ax),
        lambda ax: plots.elimination_costs(choices(), ax=ax),
        lambda ax: plots.feature_measures(measures(), ax=ax),
    ],
)
def test_pictures_go_into_given_axes(draw):
    left, right = Figure().subplots(1, 2)
    assert draw(left) is left
    assert left.has_data()
    assert not right.has_data()


def test_the_scale_of_accuracies_is_even():
    ax = plots.elimination_curves(choices(["gbt"]))
    ax.set_yticks([0.725, 0.75, 0.775, 0.8])
    ax.figure.canvas.draw()
    told = [float(text.get_text().rstrip("%")) for text in ax.get_yticklabels()]
    assert np.diff(told) == pytest.approx(np.diff(told)[0])


def test_curves_say():
    table = choices(["gbt"])
    table.loc[table["choice"] == "published", "accuracy"] = 0.5
    ax = plots.elimination_curves(table, titles=TITLES)
    said = {"GBT", "recursive elimination", "correlation filter", "named set"}
    assert said | {"number of features kept", "validation accuracy"} <= set(texts_of(ax))
    solid, dashed, star = ax.lines[:3]
    assert solid.get_xdata().tolist() == list(range(1, 11))
    by_size = table[table["kind"].isin(["all", "elimination"])].sort_values("n_features")
    assert solid.get_ydata() == pytest.approx(by_size["accuracy"].to_numpy())
    assert dashed.get_xdata().tolist() == [6, 7, 8.6, 10]
    assert (star.get_xdata().tolist(), star.get_ydata().tolist()) == ([7], [0.5])
    (band,) = [band for band in ax.collections if isinstance(band, PolyCollection)]
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(by_size["accuracy"].max() + 0.004)


def test_costs_say():
    table = choices(["gbt", "mlp"], sizes=[5])
    ax = plots.elimination_costs(table, titles=TITLES)
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["all (10)", "published (7)", "filter 0.9 (10)", "filter 0.8 (8.6)",
                     "filter 0.7 (7)", "filter 0.5 (6)", "eliminated to 5"]  # fmt: skip
    assert {"GBT", "MLP", "loss of accuracy compared with all features (points)"} <= set(
        texts_of(ax)
    )
    points, _, (bars,) = ax.containers[0]
    own = table[table["model"] == "gbt"]
    assert points.get_xdata() == pytest.approx(100 * own["cost"].to_numpy())
    assert points.get_ydata() == pytest.approx(np.arange(7) - 0.3)
    first = bars.get_segments()[1]
    assert first[:, 0] == pytest.approx([2.6, 5.6])


def test_measures_say():
    values = pd.DataFrame({"a": [4.0, -0.0001, np.nan], "b": [0.0, 0.0, 0.0]}, ["x", "y", "z"])
    ax = plots.feature_measures(values, formats={"a": ".1f"}, marked=["y"])
    written = [text.get_text() for text in ax.texts]
    assert written == ["4.0", "0.000", "0.0", "0.000", "\N{EN DASH}", "0.000"]
    assert ax.images[0].get_array().filled(-1).tolist() == [[1, 0], [0, 0], [-1, 0]]
    assert {"x", "y *", "z", "a", "b", "share of the column's largest"} <= set(texts_of(ax))
    minus = plots.feature_measures(pd.DataFrame({"a": [-0.5]}, ["x"]))
    assert minus.texts[0].get_text() == "\N{MINUS SIGN}0.500"


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.elimination_curves(choices().drop(columns="kind")), "missing: kind"),
        (lambda: plots.elimination_curves(choices().assign(accuracy=np.nan)), "accuracy that is"),
        (lambda: plots.elimination_costs(choices()[:0]), "at least one row"),
        (lambda: plots.elimination_costs(choices().assign(cost=np.nan)), "cost that is a number"),
        (lambda: plots.feature_measures(pd.DataFrame({"a": []})), r"got shape \(0, 1\)"),
    ],
)
def test_wrong_input_says_what_is_allowed(draw, says):
    with pytest.raises(ValueError, match=says):
        draw()
