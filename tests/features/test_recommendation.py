"""The recommended features follow from the costs of elimination."""

import pandas as pd
import pytest

from moodcore.features.recommendation import recommend, sufficient_size

SIZES = {"filter 0.7": 2, "eliminated to 2": 2, "eliminated to 1": 1}
ACCURACY = {"gbt": 0.9, "plain": 0.8}


def choices(costs, deviation=0.01):
    """Choices with these costs in points for "gbt" and "plain", significant from one point on."""
    rows = []
    for choice, pair in {"all": (0, 0), **costs}.items():
        for (model, accuracy), cost in zip(ACCURACY.items(), pair, strict=True):
            rows.append(
                {
                    "choice": choice,
                    "kind": {"a": "all", "f": "filter", "e": "elimination"}[choice[0]],
                    "level": float(choice.split()[-1]) if " " in choice else None,
                    "model": model,
                    "accuracy": accuracy - cost / 100,
                    "accuracy_std": deviation,
                    "cost": cost / 100,
                    "beyond_spread": abs(cost) > 1,
                }
            )
    return pd.DataFrame(rows)


FEATURES = pd.DataFrame({"feature": ["c", "a", "b"], "elimination_rank": [3.0, 1.0, 2.0]})


@pytest.mark.parametrize(
    ("costs", "size"),
    [
        ({"eliminated to 2": (0, 0), "eliminated to 1": (0, 0)}, 1),
        ({"eliminated to 2": (0, 0), "eliminated to 1": (0, 5)}, 2),
        ({"eliminated to 2": (5, 0), "eliminated to 1": (0, 5)}, None),
        # One feature is as good as three, whatever chance made of two.
        ({"eliminated to 2": (0.6, 0), "eliminated to 1": (0, 0)}, 1),
        ({"eliminated to 2": (-5, 0)}, 2),
        ({"eliminated to 2": (0.4, 0)}, 2),
        # Not significant, but more than the standard error of four folds.
        ({"eliminated to 2": (0.6, 0)}, None),
        ({"filter 0.7": (0, 0)}, None),
    ],
)
def test_the_fewest_features_without_a_cost_are_sufficient(costs, size):
    assert sufficient_size(choices(costs), folds=4) == size


def test_the_most_accurate_model_decides():
    costs = {"filter 0.7": (0, 0), "eliminated to 2": (0.2, 5), "eliminated to 1": (9, 9)}
    assert recommend(FEATURES, choices(costs), folds=4) == {
        "model": "gbt",
        "accuracy": 0.9,
        "features": ["a", "b"],
        "accuracy_kept": pytest.approx(0.898),
        "sufficient": {"gbt": 2, "plain": None, "all models": None},
        "largest_size": 2,
    }


def test_all_features_stay_where_each_elimination_costs_accuracy():
    found = recommend(FEATURES, choices({"eliminated to 1": (3, 0)}), folds=4)
    assert found["features"] == ["c", "a", "b"]
    assert found["accuracy_kept"] == found["accuracy"]
    assert found["largest_size"] == 1, "nothing is known of the sizes above"


def test_without_a_trained_model_nothing_is_recommended():
    failed = choices({"eliminated to 2": (0, 0)}).assign(accuracy=None)
    assert recommend(FEATURES, failed, folds=4) is None
