"""Each check fires where it should, and stays quiet where it should."""

from dataclasses import replace

import pytest

from moodcore.runs.candidate import Candidate, FoldResult, combine, failed
from moodcore.runs.fits import CURVES
from moodcore.runs.space import Space
from moodcore.tuning.checks import checks
from moodcore.tuning.plan import SearchSpace

COUNTS = {"sad": 100, "happy": 120}
SINGLE = {"energy": 0.6, "valence": 0.7}
SPACE = SearchSpace(
    {
        "svm": Space(
            {}, {"C": [1.0, 3.0, 9.0]}, {"gamma": {"low": 0.01, "high": 1.0, "log": True}}
        ),
        "mlp": Space({}, {"batch_size": [16, 32, 64]}, {"l2": {"low": 0.0, "high": 1.0}}),
    }
)


def candidate(number=0, model="svm", params=None, accuracies=(0.80, 0.81), train=0.82, **changes):
    folds = [
        FoldResult(
            score=accuracy,
            accuracy=accuracy,
            balanced_accuracy=accuracy,
            train_accuracy=train,
            valid_loss=0.5,
            curves={},
            diverged=False,
            n_weights=10,
            seconds=1.0,
        )
        for accuracy in accuracies
    ]
    curves = {name: [1.0] for name in CURVES}
    drawn = Candidate(model, params or {"C": 3.0, "gamma": 0.1})
    found = combine(number, drawn, [replace(fold, curves=curves) for fold in folds])
    return replace(found, **changes)


def check(name, best=None, others=(), space=SPACE, counts=COUNTS, single=SINGLE):
    best = best or candidate()
    found = checks(best, [best, *others], space, counts, single, noun="rows", balanced=True)
    (item,) = [item for item in found if item["name"] == name]
    return item["ok"], item["text"]


def check_all(best, results):
    return checks(best, results, SPACE, COUNTS, SINGLE, noun="rows", balanced=True)


def network(**changes):
    params = {"batch_size": 32, "l2": 0.5} | changes
    return candidate(1, "mlp", params, accuracies=(0.7, 0.7))


def test_nothing_is_said_of_an_ordinary_search():
    best = candidate()
    assert all(check["ok"] for check in check_all(best, [best, network()]))


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"C": 1.0, "gamma": 0.1}, "C = 1.0"),
        ({"C": 9.0, "gamma": 0.1}, "C = 9.0"),
        ({"C": 3.0, "gamma": 0.011}, "gamma = 0.011"),
        ({"C": 3.0, "gamma": 0.9}, "gamma = 0.9"),
    ],
)
def test_edge(params, named):
    ok, text = check("Edge of the ranges", candidate(params=params))
    assert not ok and named in text
    # Half of a linear range is near the upper end of a logarithmic one, and not yet on it.
    assert check("Edge of the ranges", candidate(params={"C": 3.0, "gamma": 0.5}))[0]


def test_edge_of_a_family_that_did_not_win():
    ok, text = check("Edge of the ranges", others=[network(batch_size=64)])
    assert not ok and "batch_size = 64 (mlp)" in text
    # Another candidate of the family was better: where the worse one lies does not matter.
    better = replace(network(), number=2, accuracy=0.75, score=0.75)
    assert check("Edge of the ranges", others=[network(batch_size=64), better])[0]


@pytest.mark.parametrize(("accuracies", "ok"), [((0.80, 0.815), True), ((0.80, 0.83), False)])
def test_spread(accuracies, ok):
    found, text = check("Spread of the folds", candidate(accuracies=accuracies))
    assert found is ok and f"{100 * (accuracies[1] - accuracies[0]):.2f} points" in text


@pytest.mark.parametrize(("train", "ok"), [(0.84, True), (0.80, True), (0.90, False)])
def test_gap(train, ok):
    assert check("Training against validation", candidate(train=train))[0] is ok


def test_without_balancing_the_gap_is_between_accuracies():
    """A model of imbalanced classes has a low balanced accuracy without overfitting."""
    best = replace(candidate(train=0.84), accuracy=0.82, balanced_accuracy=0.6)
    for balanced, ok in ((False, True), (True, False)):
        found = checks(best, [best], SPACE, COUNTS, SINGLE, noun="rows", balanced=balanced)
        (gap,) = [check for check in found if check["name"] == "Training against validation"]
        assert gap["ok"] is ok


@pytest.mark.parametrize(("happy", "ok"), [(150, True), (151, False)])
def test_imbalance(happy, ok):
    found, text = check("Class imbalance", counts={"sad": 100, "happy": happy})
    assert found is ok and "1.5 times" in text


@pytest.mark.parametrize(("reached", "ok"), [(0.89, True), (0.95, False)])
def test_leak(reached, ok):
    found, text = check("Single features", single=SINGLE | {"tempo": reached})
    assert found is ok and "tempo" in text and ("leak" in text) is not ok


def test_divergence():
    ok, text = check("Divergence", others=[replace(network(), number=7, diverged_folds=1)])
    assert not ok and "7" in text


def test_failures_are_told_with_their_reason():
    lost = [failed(n, Candidate("svm", {}), f"fold 1: trouble {n}") for n in range(3, 10)]
    ok, text = check("Failed candidates", others=lost)
    assert not ok and "3 (fold 1: trouble 3)" in text
    assert "7 (" in text and "8 (" not in text and "and 2 more" in text
