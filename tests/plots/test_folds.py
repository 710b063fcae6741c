"""Models fold by fold: what the picture says, and what it refuses."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from readable import clipped, overlapping, texts_of, visible_texts

from moodcore import plots

FOUR = {
    "ensemble of trees": [0.861, 0.858, 0.866],
    "network": [0.851, 0.840, 0.853],
    "support vector machine": [0.850, 0.843, 0.855],
    "linear support vector machine": [0.781, 0.775, 0.790],
}
PICTURES = {
    "four": lambda: plots.fold_accuracies(FOUR),
    "differences": lambda: plots.fold_differences(
        {"#3, GBT: max_leaves 4": [0.25, -1.5], "#2, SVM: C 3, gamma 0.1": [0.0, 0.0]},
        label="validation accuracy, points above GBT() by default",
    ),
    "one": lambda: plots.fold_accuracies({"network": [0.5]}),
    "equal": lambda: plots.fold_accuracies({"a": [0.7, 0.7], "b": [0.7, 0.7]}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_text_can_be_read(name):
    texts = visible_texts(PICTURES[name]().figure)
    assert clipped(texts) == []
    assert overlapping(texts) == []


def test_it_says_who_and_how_much():
    ax = PICTURES["four"]()
    assert {*FOUR, "86.2 %", "84.8 %", "84.9 %", "78.2 %", "one fold", "mean"} <= set(texts_of(ax))
    folds = [line.get_xdata().tolist() for line in ax.lines[:3]]
    assert folds == np.array(list(FOUR.values())).T.tolist()
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first is on top"


def test_it_goes_into_given_axes():
    left, right = Figure().subplots(1, 2)
    assert plots.fold_accuracies(FOUR, ax=left) is left
    assert not right.has_data()


@pytest.mark.parametrize(
    ("accuracies", "says"),
    [
        ({}, "at least one, got {}"),
        ({"a": []}, r"got {'a': 0}"),
        ({"a": [0.5], "b": [0.5, 0.6]}, r"the same folds .* got {'a': 1, 'b': 2}"),
        ({"a": [0.5, 1.5]}, r"accuracies\['a'\]\[1\] must be in \[0, 1\], got 1.5"),
        ({"a": [np.nan]}, r"accuracies\['a'\]\[0\] must be in \[0, 1\], got nan"),
    ],
)
def test_wrong_input_says_what_is_allowed(accuracies, says):
    with pytest.raises(ValueError, match=says):
        plots.fold_accuracies(accuracies)
