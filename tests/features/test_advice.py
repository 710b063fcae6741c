"""Advice follows from the numbers, and from nothing else."""

import pandas as pd
import pytest

from moodcore.features.advice import advise, harmless_size

# Cost in points of each choice, for the models "gbt" and "plain"; the interval is one point to
# either side.
KINDS = {"two": "named", "filter 0.7": "filter", "eliminated to 2": "elimination"}
KINDS |= {"eliminated to 1": "elimination"}
SIZES = {"two": 2, "filter 0.7": 2, "eliminated to 2": 2, "eliminated to 1": 1}


def tables(costs, importances=(("a", 0.2), ("b", 0.1), ("c", 0.05)), failures=()):
    """The four tables of a study of the features a, b and c."""
    rows = [("all", "all", None, 3, model, accuracy, 0.0)
            for model, accuracy in (("gbt", 0.9), ("plain", 0.8))]  # fmt: skip
    for choice, pair in costs.items():
        level = float(choice.split()[-1]) if " " in choice else None
        rows += [
            (choice, KINDS[choice], level, SIZES[choice], model, full - cost / 100, cost / 100)
            for model, full, cost in zip(("gbt", "plain"), (0.9, 0.8), pair, strict=True)
        ]
    names = ["choice", "kind", "level", "n_features", "model", "accuracy", "cost"]
    choices = pd.DataFrame(rows, columns=names).assign(accuracy_std=0.004)
    choices["cost_low"], choices["cost_high"] = choices["cost"] - 0.01, choices["cost"] + 0.01
    choices["beyond_spread"] = choices["cost"].abs() > 0.01
    features = pd.DataFrame({"feature": ["a", "b", "c"], "elimination_rank": [1.0, 2.0, 3.0]})
    for choice in costs:
        features[f"kept_{choice}"] = [1.0, float(SIZES[choice] > 1), 0.0]
    shuffled = pd.DataFrame(importances, columns=["feature", "mean"])
    shuffled = shuffled.assign(measure="permutation", model="gbt", low=shuffled["mean"] - 0.02)
    trainings = pd.DataFrame(
        {"model": ["gbt", "plain", "plain"], "failure": ["", *failures, *[""] * 2][:3]}
    )
    return features, shuffled, choices, trainings


def said(costs, **changes):
    return " ".join(advise(*tables(costs, **changes)))


def test_the_best_model_and_its_spread_are_named():
    text = said({"two": (0, 0)})
    assert (
        "With all 3 features GBT is the most accurate: 90.0 % (standard deviation over the folds "
        "0.4 points)." in text
    )


def test_costs_are_said_for_each_model_the_largest_first():
    text = said({"two": (4, 7)})
    assert (
        "Keeping only the 2 features of 'two' costs plain 7.0 and GBT 4.0 points of accuracy."
        in (text)
    )
    text = said({"two": (0.5, -3)})
    assert (
        "of 'two' gains plain 3.0 points and changes GBT by no more than the folds differ." in text
    )


def test_filter_that_does_harm_and_elimination_that_does_none():
    text = said({"filter 0.7": (4, 0), "eliminated to 2": (0, 0.5), "eliminated to 1": (9, 9)})
    assert text.startswith(
        "For GBT, the most accurate, 2 of 3 features chosen by importance (a and b) are enough: "
        "leaving out the others costs no more accuracy than the folds differ. The same holds for "
        "every other model. Choose features by importance, not by correlation."
    )
    assert (
        "The correlation filter does harm from a threshold of 0.7 down, where it leaves 2 features "
        "and costs GBT 4.0 points of accuracy and changes plain by no more than the folds differ."
        in text
    )
    assert "GBT uses c (shuffling it costs 5.0 points)" in text


def test_filter_that_does_no_harm():
    text = said({"filter 0.7": (0, 0), "eliminated to 2": (0, 0)})
    assert "What the correlation filter drops costs no model more than the folds differ." in text
    assert "not by correlation" not in text


def test_elimination_that_does_harm_at_once():
    text = said({"eliminated to 2": (5, 0), "eliminated to 1": (0, 0)})
    assert text.startswith("Keep all 3 features: leaving out any costs GBT accuracy.")
    assert "leaving out c, the least used, costs GBT 5.0 points of accuracy" in text


def test_models_that_need_more_are_said():
    text = said({"eliminated to 2": (0, 5), "eliminated to 1": (0, 0)})
    assert "1 of 3 features chosen by importance (a) is enough" in text
    assert "Some other models need all of them." in text
    text = said({"eliminated to 2": (0, 0), "eliminated to 1": (0, 5)})
    assert "1 of 3 features" in text
    assert "2 are enough for every model." in text


def test_one_model_is_not_compared_with_others():
    features, shuffled, choices, trainings = tables({"eliminated to 2": (0, 0)})
    own = choices[choices["model"] == "gbt"]
    first, second, *_ = advise(features, shuffled, own, trainings[:1])
    assert first.startswith("For GBT, 2 of 3 features chosen by importance (a and b) are enough")
    assert "other model" not in first
    assert second.startswith("With all 3 features GBT reaches 90.0 %")


def test_a_loss_that_few_folds_cannot_be_sure_of_is_not_called_harmless():
    text = said({"filter 0.7": (0.9, 0), "eliminated to 2": (0.9, -0.9)})
    assert text.startswith("Keep all 3 features: leaving out any may cost GBT accuracy.")
    assert "are enough" not in text
    assert (
        "leaving out c, the least used, may cost GBT 0.9 points, if that is no chance and may gain "
        "plain 0.9 points, if that is no chance." in text
    )
    assert "What the correlation filter drops may cost accuracy" in text


def test_a_dropped_feature_that_nobody_misses():
    text = said({"two": (0, 0)}, importances=[("a", 0.2), ("b", 0.1), ("c", 0.01)])
    assert "Of the features that 'two' leaves out, GBT may do without c." in text


def test_the_same_number_chosen_by_importance():
    text = said({"two": (8, 8), "eliminated to 2": (1, 1)})
    assert (
        "With 2 features chosen by importance instead, GBT reaches 89.0 %; with those of 'two', "
        "82.0 %." in text
    )


def test_failures_are_said():
    text = said({"two": (0, 0)}, failures=["", "ValueError: no"])
    assert text.endswith("Plain failed in 1 of 2 trainings (ValueError: no).")


@pytest.mark.parametrize(
    ("costs", "size"),
    [
        ({"eliminated to 2": (0, 0), "eliminated to 1": (0, 0)}, 1.0),
        ({"eliminated to 2": (0, 0), "eliminated to 1": (0, 5)}, 2.0),
        ({"eliminated to 2": (5, 0), "eliminated to 1": (0, 0)}, None),
        ({"eliminated to 2": (-5, 0)}, 2.0),
    ],
)
def test_elimination_is_harmless_down_to_the_first_cost(costs, size):
    choices = tables(costs)[2]
    assert harmless_size(choices) == size
