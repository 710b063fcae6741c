"""Pictures of models beside each other: what they say, that it can be read, what they refuse."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from readable import clipped, overlapping, texts_of, visible_texts

from moodcore import plots

NAMES = ["soft vote", "GBT", "MLP", "SVM", "logistic regression", "LinearSVM", "nearest neighbours"]
KINDS = ["combination", "model", "model", "model", "baseline", "model", "baseline"]


def summary(names=NAMES, kinds=KINDS):
    """Means that fall from model to model, with intervals that widen."""
    mean = 0.86 - 0.01 * np.arange(len(names))
    reach = 0.004 + 0.002 * np.arange(len(names))
    table = pd.DataFrame({"model": names, "kind": kinds, "accuracy": mean})
    return table.assign(accuracy_low=mean - reach, accuracy_high=mean + reach)


def pairs(names=NAMES, real=0.02):
    rows = [
        (first, second, 0.01 * (j - i), "better" if 0.01 * (j - i) > real else "no difference")
        for i, first in enumerate(names)
        for j, second in enumerate(names)
        if i < j
    ]
    return pd.DataFrame(rows, columns=["first", "second", "difference", "verdict"])


def agreement(names=NAMES):
    distance = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
    return pd.DataFrame(1 - 0.03 * distance, index=names, columns=names)


def learning(names=NAMES, rows=(800, 1902, 4525, 10760, 25600)):
    table = pd.DataFrame([(name, row) for name in names for row in rows], columns=["model", "rows"])
    table["accuracy"] = 0.5 + 0.03 * np.log2(table["rows"] / 800) + 0.01 * table["model"].map(len)
    return table.assign(low=table["accuracy"] - 0.01, high=table["accuracy"] + 0.01)


def calibration(names=NAMES, bins=15):
    sure = np.linspace(0.25, 1, bins)
    parts = [
        pd.DataFrame(
            {"model": n, "confidence": sure, "accuracy": sure**k, "rows": np.arange(bins) + 1}
        )
        for k, n in enumerate(names, 1)
    ]
    return pd.concat(parts, ignore_index=True)


def precision_recall(names=NAMES, points=200):
    recall = np.linspace(1, 0, points)
    parts = [
        pd.DataFrame({"model": n, "class": c, "recall": recall, "precision": 1 - 0.4 * recall**k})
        for c in ("sad", "calm")
        for k, n in enumerate(names, 1)
    ]
    return pd.concat(parts, ignore_index=True).assign(average_precision=0.8)


PICTURES = {
    "scores": lambda: plots.score_intervals(summary()),
    "one score": lambda: plots.score_intervals(summary(["GBT"], ["model"])),
    "differences": lambda: plots.difference_matrix(pairs()),
    "no difference": lambda: plots.difference_matrix(pairs(["GBT", "MLP"], real=1)),
    "agreement": lambda: plots.agreement_matrix(agreement()),
    "learning": lambda: plots.learning_curves(learning()),
    "short curves": lambda: plots.learning_curves(learning(["GBT"], (100, 250))),
    "calibration": lambda: plots.calibration_curves(calibration()),
    "one bin": lambda: plots.calibration_curves(calibration(["GBT"], 1)),
    "precision": lambda: plots.precision_recall_curves(precision_recall(), "sad"),
    "two points": lambda: plots.precision_recall_curves(precision_recall(["GBT"], 2), "calm"),
}


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
        lambda ax: plots.score_intervals(summary(), ax=ax),
        lambda ax: plots.difference_matrix(pairs(), ax=ax),
        lambda ax: plots.agreement_matrix(agreement(), ax=ax),
        lambda ax: plots.learning_curves(learning(), ax=ax),
        lambda ax: plots.calibration_curves(calibration(), ax=ax),
        lambda ax: plots.precision_recall_curves(precision_recall(), "sad", ax=ax),
    ],
)
def test_pictures_go_into_given_axes(draw):
    left, right = Figure().subplots(1, 2)
    assert draw(left) is left
    assert left.has_data()
    assert not right.has_data()


def test_scores_stand_where_they_are_from_the_top():
    ax = plots.score_intervals(summary())
    assert [text.get_text() for text in ax.get_yticklabels()] == NAMES
    assert ax.yaxis_inverted()
    drawn = {}
    for bars in ax.containers:
        for segment in bars.lines[2][0].get_segments():
            drawn[round(segment[0][1])] = (segment[0][0], segment[1][0])
    for place, row in summary().iterrows():
        assert drawn[place] == pytest.approx((row["accuracy_low"], row["accuracy_high"]))
    assert {"model", "combination of models", "baseline"} <= set(texts_of(ax))


def test_models_without_the_metric_are_left_out():
    table = summary().assign(accuracy=[np.nan, *summary()["accuracy"][1:]])
    shown = [text.get_text() for text in plots.score_intervals(table).get_yticklabels()]
    assert shown == NAMES[1:]


def test_only_real_differences_are_colored():
    ax = plots.difference_matrix(pairs(["a", "b", "c"], real=0.015))
    values = ax.images[0].get_array()
    assert values.mask.tolist() == [[True, True, False], [True, True, True], [False, True, True]]
    assert values[0, 2] == pytest.approx(2.0)
    assert values[2, 0] == pytest.approx(-2.0)
    assert [text.get_text() for text in ax.texts][:3] == ["", "+1.00", "+2.00"]


def test_learning_curves_are_the_table():
    ax = plots.learning_curves(learning(["GBT", "MLP"]))
    assert [line.get_label() for line in ax.lines] == ["GBT", "MLP"]
    part = learning(["GBT"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), part["rows"])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), part["accuracy"])
    assert ax.get_xscale() == "log"
    assert {"800", "25,600"} <= set(texts_of(ax))


def test_larger_bins_have_larger_circles():
    ax = plots.calibration_curves(calibration(["GBT"]))
    areas = ax.collections[0].get_sizes()
    assert (np.diff(areas) > 0).all()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), ax.lines[0].get_ydata())


def test_curves_of_one_class_only():
    table = precision_recall(["GBT"])
    table.loc[table["class"] == "calm", "precision"] = 0.0
    ax = plots.precision_recall_curves(table, "sad")
    assert ax.lines[0].get_ydata().min() > 0
    assert ax.get_title(loc="left") == "sad"


def test_models_differ_in_more_than_color():
    ax = plots.learning_curves(learning())
    looks = {(line.get_linestyle(), line.get_marker()) for line in ax.lines}
    colors = {to_hex(line.get_color()) for line in ax.lines}
    assert len(looks) == len(colors) == len(NAMES)


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.score_intervals(summary(), "log_loss"), "missing: log_loss"),
        (
            lambda: plots.score_intervals(summary().assign(accuracy=np.nan)),
            "must have a model with",
        ),
        (lambda: plots.difference_matrix(pairs()[:0]), "pairs must have at least one row"),
        (lambda: plots.agreement_matrix(agreement().iloc[:2]), "same names down and across"),
        (lambda: plots.agreement_matrix(agreement() * 2), r"shares in \[0, 1\]"),
        (lambda: plots.learning_curves(learning().drop(columns="low")), "missing: low"),
        (lambda: plots.calibration_curves(calibration()[:0]), "at least one row"),
        (
            lambda: plots.precision_recall_curves(precision_recall(), "grim"),
            "one of 'sad', 'calm', got 'grim'",
        ),
    ],
)
def test_wrong_input_says_what_is_allowed(draw, says):
    with pytest.raises(ValueError, match=says):
        draw()
