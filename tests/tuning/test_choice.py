"""The choice between the best candidate and the defaults."""

import math
from dataclasses import replace

import pytest

from moodcore.report.gain import gain_sentence
from moodcore.runs.candidate import Candidate, CandidateResult, failed
from moodcore.runs.choice import choose
from moodcore.runs.fits import CURVES


def candidate(number, scores, model="gbt", params=None, losses=None):
    curves = {name: [1.0] for name in CURVES}
    mean = sum(scores) / len(scores)
    return CandidateResult(
        number, model, {} if params is None else params, "complete", mean, mean, 0.01, mean, mean,
        0.5, scores, scores, 0, 10, curves, log_loss=0.5, fold_log_losses=losses or [0.5] * 5,
    )  # fmt: skip


DEFAULT = candidate(0, [0.80, 0.82, 0.81, 0.80, 0.83])
CLEAR = candidate(1, [0.83, 0.85, 0.84, 0.82, 0.86], params={"max_leaves": 4})
CHANCE = candidate(2, [0.79, 0.85, 0.80, 0.79, 0.84], params={"max_leaves": 5})


def chosen(*results, metric="roc_auc"):
    return choose(list(results), metric)


def without_probabilities(result):
    return replace(result, log_loss=math.nan, fold_log_losses=[math.nan] * 5)


def test_a_clearly_better_candidate_is_chosen():
    choice = chosen(DEFAULT, CHANCE, CLEAR)
    assert choice.best is choice.rival is CLEAR
    assert not choice.keeps_default
    found = choice.describe()
    assert found["difference"] == pytest.approx(0.028)
    # Nadeau and Bengio's variance by hand: (1 / 5 + 1 / 4) times the sample variance.
    deviation = math.sqrt(0.45 * (4 * 0.002**2 + 0.008**2) / 4)
    assert found["high"] - found["difference"] == pytest.approx(2.7764451 * deviation)


def test_the_default_is_kept_if_another_is_better_by_less_than_the_noise():
    choice = chosen(DEFAULT, CHANCE)
    assert CHANCE.score > DEFAULT.score
    assert choice.best is DEFAULT and choice.rival is CHANCE
    assert choice.describe()["kept_default"]


def test_without_defaults_the_best_score_wins():
    choice = choose([DEFAULT, CHANCE], "accuracy", around_defaults=False)
    assert choice.best is CHANCE and choice.describe() is None
    lost = failed(0, Candidate("gbt", {}), "out of memory")
    assert chosen(lost, CHANCE).best is CHANCE
    assert chosen(lost).best.state == "failed"


def test_candidates_of_all_families_are_compared_with_the_trees():
    network = replace(DEFAULT, number=4, model="mlp")
    better = replace(CLEAR, number=5, model="mlp", params={})
    choice = chosen(network, DEFAULT, CHANCE)
    assert choice.default is DEFAULT
    assert chosen(better, DEFAULT).best is better
    assert chosen(network, replace(DEFAULT, state="failed")).default is network


def test_equally_accurate_candidates_are_compared_by_log_loss():
    losses = [0.40, 0.42, 0.41, 0.43, 0.44]
    calm = candidate(3, [0.79, 0.82, 0.81, 0.81, 0.83], params={"max_leaves": 6}, losses=losses)
    calm = replace(calm, log_loss=0.42)
    choice = chosen(DEFAULT, CHANCE, calm, metric="accuracy")
    assert choice.best is calm
    assert choice.describe()["log_loss"]["difference"] == pytest.approx(-0.08)
    # By a metric of probabilities the score alone decides, here too little.
    assert chosen(DEFAULT, CHANCE, calm).best is DEFAULT
    # A candidate that is clearly less accurate than the best is not considered.
    assert chosen(DEFAULT, CLEAR, calm, metric="accuracy").best is CLEAR
    found = sentence(choice)
    assert "validation accuracy equal to GBT() by default (95 % interval" in found
    assert ", log loss 0.0800 lower (95 % interval " in found


def test_without_probabilities_the_accuracy_decides():
    default, clear, chance = map(without_probabilities, (DEFAULT, CLEAR, CHANCE))
    assert chosen(default, clear, chance, metric="accuracy").best is clear
    assert chosen(default, chance, metric="accuracy").best is default
    assert chosen(default, chance, metric="accuracy").describe()["log_loss"] is None
    # One of them must be clearly more accurate than those that have probabilities.
    assert chosen(DEFAULT, chance, metric="accuracy").best is DEFAULT
    assert chosen(DEFAULT, clear, metric="accuracy").best is clear


def sentence(choice, metric="accuracy", families=("gbt",), **tests):
    search = {"metric": metric, "gain": choice.describe(), "families": families}
    tests = tests or {"test": {}, "baselines": {}}
    return gain_sentence({"search": search, **tests})


def test_sentences():
    # Against the tests of the two models on new rows.
    measured = {"accuracy": 0.841, "log_loss": 0.4}
    tests = {"test": measured, "baselines": {"GBT() by default": measured | {"accuracy": 0.83}}}
    assert sentence(chosen(DEFAULT, without_probabilities(CLEAR)), **tests) == (
        "Gain over the defaults: validation accuracy 2.8 points above GBT() by default (95 % "
        "interval +2.0 to +3.6 points), 5 folds. On the test rows: accuracy 84.1 % against "
        "83.0 %, log loss 0.4000 against 0.4000."
    )
    assert sentence(chosen(DEFAULT, CHANCE)).startswith(
        "Not clearly better than the defaults; the default model was kept: the best candidate, "
        "number 2, has a validation accuracy 0.2 points above GBT() by default (95 % interval "
    )
    assert "log loss equal (95 % interval " in sentence(chosen(DEFAULT, CHANCE))
    svm = replace(CHANCE, model="svm")
    joint = sentence(chosen(DEFAULT, svm), families=("gbt", "svm"))
    assert "the best candidate, number 2 (SVM), has a validation accuracy" in joint
    assert sentence(chosen(DEFAULT)) == (
        "No candidate was better than GBT() by default; the default model was kept."
    )
    found = sentence(chosen(DEFAULT, CLEAR), "log_loss")
    assert "validation log loss 0.0280 below GBT() by default (95 % interval" in found
