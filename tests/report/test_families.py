"""What the page says of several families, and of the test beside a plain model."""

import pytest

from moodcore.report.tune import families
from moodcore.report.tune.summary import _tested


def one(model, noun, folds=None, behind=0):
    best = folds and {
        "accuracy": sum(folds) / len(folds),
        "accuracy_std": 0.01,
        "fold_accuracies": folds,
        "params": {"C": 1.0, "gamma": 0.05},
    }
    against = folds and {"mean": -0.02 * behind, "std": 0.01, "folds_behind": behind, "folds": 2}
    return {"model": model, "noun": noun, "candidates": 3, "best": best, "against_best": against}


TREES = one("gbt", "ensemble of trees", [0.84, 0.86])
NETWORK = one("mlp", "network", [0.82, 0.83], behind=2)
FAILED = one("svm", "support vector machine")


def metrics(*found):
    return {"search": {"families": list(found)}}


def test_one_family_has_no_table():
    assert families.family_table(metrics(TREES)) is None
    assert families.family_table({"optimizers": []}) is None


def test_the_table_has_a_row_for_each_also_where_all_failed():
    table = families.family_table(metrics(TREES, NETWORK, FAILED))
    assert table["family"].tolist() == ["ensemble of trees", "network", "support vector machine"]
    assert table["accuracy %"].tolist()[:2] == [85.0, 82.5]
    assert table["points behind"].tolist()[:2] == [0.0, 4.0]
    assert table["folds behind"].tolist()[:2] == ["0 of 2", "2 of 2"]
    assert table["hyperparameters"].tolist()[0] == "C 1, gamma 0.05"
    assert table.iloc[2].isna().sum() == 4


def test_the_picture_has_the_folds_of_those_that_could_be_trained():
    title, caption, ax, table = families.draw_families(metrics(TREES, NETWORK, FAILED))
    assert title == "Validation accuracy of the best of each family"
    assert "The ensemble of trees, 85.0 %, is before the network in 2 of 2 folds." in caption
    assert [text.get_text() for text in ax.get_yticklabels()] == ["ensemble of trees", "network"]
    assert table[["fold 1 %", "fold 2 %"]].to_numpy().tolist() == [[84.0, 86.0], [82.0, 83.0]]
    _, alone, _, _ = families.draw_families(metrics(TREES, FAILED))
    assert "Only the ensemble of trees could be trained." in alone


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.8, "5.0 points more than"), (0.7, "5.0 points fewer than"), (0.7501, "as many as")],
)
def test_the_first_sentence_sets_the_test_beside_logistic_regression(accuracy, words):
    test = {"accuracy": accuracy, "balanced_accuracy": 0.81, "n_rows": 1200}
    plain = {"accuracy": 0.75, "balanced_accuracy": 0.76}
    said = _tested("network", test, plain)
    assert said.startswith(f"The network puts {100 * accuracy:.1f} % of 1,200 songs that it never")
    assert f"their class, {words} logistic regression." in said
    assert said.endswith("it would be 81.0 %, against 76.0 %.")
