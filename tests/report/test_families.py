"""What the page and the summary say of a search among several families."""

import pytest

from moodcore.report.build import headline
from moodcore.report.pages import search


def family(model, folds=None, behind=0):
    best = folds and {
        "accuracy": sum(folds) / len(folds),
        "accuracy_std": 0.01,
        "fold_accuracies": folds,
        "params": {"C": 1.0, "gamma": 0.05},
    }
    against = folds and {"mean": -0.02 * behind, "std": 0.01, "folds_behind": behind, "folds": 2}
    return {"model": model, "candidates": 3, "best": best, "against_best": against}


TREES = family("gbt", [0.84, 0.86])
NETWORK = family("mlp", [0.82, 0.83], behind=2)
FAILED = family("svm")


def metrics(*families):
    test = {"accuracy": 0.8, "balanced_accuracy": 0.81, "macro_f1": 0.8, "n_rows": 1200}
    plain = {"accuracy": 0.75, "balanced_accuracy": 0.76, "macro_f1": 0.7}
    search = {
        "metric": "accuracy",
        "planned": 9,
        "candidates": 9,
        "best": TREES["best"],
        "families": list(families),
    }
    return {
        "format": "moodcore-run", "study": "grid", "settings": {}, "model": {"family": "gbt"},
        "search": search, "test": test,
        "baselines": {"logistic regression": plain}, "checks": [],
        "data": {"rows": 6000, "noun": "rows", "preset": None, "target": "income", "counts": {},
                 "synthetic": False},
    }  # fmt: skip


def sentences(found):
    return " ".join(headline(found).sentences)


def test_one_family_is_compared_with_none():
    assert "other models" not in sentences(metrics(TREES))


def test_the_other_families_are_named_also_where_all_failed():
    text = sentences(metrics(TREES, NETWORK, FAILED))
    expected = (
        "MLP 82.5 % (2.5 points lower; worse in 2 of 2 folds); no SVM candidate finished (3 tried)"
    )
    assert expected in text


def test_a_difference_within_two_standard_deviations_is_not_clear():
    level = family("mlp", [0.83, 0.85], behind=1)
    level["against_best"]["std"] = 0.02
    assert "1.0 points lower; worse in 1 of 2 folds, not a clear difference" in sentences(
        metrics(TREES, level)
    )


def test_figure_and_table_have_the_folds_of_those_that_could_be_trained():
    figure, table, _ = search._families(metrics(TREES, NETWORK, FAILED))
    assert [text.get_text() for text in figure.drawing.get_yticklabels()] == ["GBT", "MLP"]
    folds = figure.frame[["fold 1 %", "fold 2 %"]].to_numpy().tolist()
    assert folds == [[84.0, 86.0], [82.0, 83.0]]
    frame = table.frame
    assert frame["model"].tolist() == ["GBT", "MLP", "SVM"]
    assert frame["accuracy %"].tolist()[:2] == [85.0, 82.5]
    assert frame["points lower"].tolist()[:2] == [0.0, 2.5]
    assert frame["folds lower"].tolist()[:2] == ["0 of 2", "2 of 2"]
    assert frame["hyperparameters"].tolist()[0] == "C 1, gamma 0.05"
    assert frame.iloc[2].isna().sum() == 4


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.8, "5.0 points above"), (0.7, "5.0 points below"), (0.7501, "equal to")],
)
def test_the_first_sentence_compares_with_logistic_regression(accuracy, words):
    found = metrics(TREES)
    found["test"]["accuracy"] = accuracy
    first = headline(found).sentences[0]
    assert first.startswith(f"Test accuracy {100 * accuracy:.1f} % (1,200 held-out rows), 95 % CI ")
    assert first.endswith(f"; {words} logistic regression (75.0 %).")


def test_the_published_result_needs_the_songs_of_that_experiment():
    found = metrics(TREES)
    found["settings"]["features"] = None
    found["data"] |= {
        "preset": "songs",
        "counts": {"a": 82_058, "b": 106_429, "c": 47_065, "d": 42_386},
    }
    assert "A published experiment" in sentences(found)
    for changed in ({"synthetic": True}, {"counts": {"a": 2, "b": 3}}):
        other = found | {"data": found["data"] | changed}
        assert "published" not in sentences(other)
    assert "published" not in sentences(found | {"settings": {"features": "all"}})
