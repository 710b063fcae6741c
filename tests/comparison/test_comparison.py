"""Comparisons of any table: no leakage, the same for everybody, nothing lost."""

import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from moodcore.tuning.experiment import RunFailedError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from three_moods import make_table

from moodcore.comparison import compare
from moodcore.comparison.entrants import song_entrants, table_entrants
from moodcore.comparison.outputs import METRICS
from moodcore.comparison.result import Comparison
from moodcore.comparison.running import FolderStore, MemoryStore, Silent, run_trainings
from moodcore.comparison.settings import ComparisonSettings, Plan
from moodcore.comparison.trainings import Contest, Training, fresh_model, train
from moodcore.runs.data import load, split_rows
from moodcore.runs.folds import cut

EVERYBODY = {
    "MLP",
    "SVM",
    "LinearSVM",
    "GBT",
    "soft vote",
    "majority class",
    "logistic regression",
    "nearest neighbours",
}
QUICK = {"models": ["linear-svm"], "folds": 2, "repeats": 1, "curve_sizes": 0}


def contest_of(X, y, entrants=None, **plan):
    plan = Plan(**{"folds": 3, "repeats": 1, "curve_sizes": 0} | plan)
    train_rows, test_rows = split_rows(y, plan.seed)
    found = entrants or table_entrants(["linear-svm", "gbt"], plan)
    return Contest(X, y, tuple(found), plan, train_rows, test_rows)


def test_everybody_takes_part_on_the_same_folds(small):
    assert set(small.summary["model"]) == EVERYBODY
    assert len(small.scores) == len(EVERYBODY) * 3 * 2
    assert len(small.pairs) == len(EVERYBODY) * (len(EVERYBODY) - 1) // 2
    best = small.summary.iloc[0]
    assert best["accuracy"] == small.summary["accuracy"].max() > 0.75
    assert (small.pairs["difference"] >= -1e-12).all()


def test_the_summary_is_that_of_the_scores(small):
    from moodcore.runs.statistics import resampled_interval

    for row in small.summary.to_dict("records"):
        mine = small.scores[small.scores["model"] == row["model"]]
        for name in METRICS:
            if np.isnan(row[name]):
                continue
            interval = resampled_interval(mine[name], 1 / 2)
            assert row[name] == pytest.approx(mine[name].mean())
            assert row[f"{name}_low"] == max(interval.low, METRICS[name].low)
            assert row[f"{name}_high"] == min(interval.high, METRICS[name].high)


def test_a_model_without_probabilities_shows_a_dash(small):
    row = small.summary.set_index("model").loc["LinearSVM"]
    assert row[["log_loss", "brier", "calibration_error"]].isna().all()
    assert row["roc_auc"] > 0.8
    assert small.to_dict()["summary"][0]["log_loss"] is not None
    mine = next(one for one in small.to_dict()["summary"] if one["model"] == "LinearSVM")
    assert mine["log_loss"] is None


def test_the_test_rows_are_put_aside(small):
    contest = small.contest
    assert set(contest.train).isdisjoint(contest.test)
    for one in contest.trainings():
        learned, judged = contest.rows(one)
        assert set(learned).isdisjoint(judged)
        if one.stage != "test":
            assert set(learned).isdisjoint(contest.test)
            assert set(judged).isdisjoint(contest.test)
    for repeat in range(2):
        judged = np.concatenate([judged for _, judged in contest.folds(repeat)])
        assert sorted(judged) == sorted(contest.train)


def test_the_first_repeat_has_the_folds_of_tune(small):
    contest = small.contest
    expected = cut(contest.y[contest.train], 3, contest.plan.seed)
    for (_, ours), (_, theirs) in zip(contest.folds(0), expected, strict=True):
        np.testing.assert_array_equal(ours, contest.train[theirs])
    assert not np.array_equal(contest.folds(0)[0][1], contest.folds(1)[0][1])


def test_shuffled_labels_leave_everybody_at_chance():
    """Whatever leaks from rows that judge into training would show here."""
    X, y = make_table(360, shuffled=True, seed=1)
    found = compare(X, y, folds=3, repeats=1, curve_sizes=2, random_state=0)
    assert set(found.summary["model"]) == EVERYBODY
    # Three classes of 120 rows: a standard deviation of 0.03 on 288 rows, of 0.055 on 72.
    assert (found.summary["accuracy"] < 1 / 3 + 0.08).all()
    assert (found.test["accuracy"] < 1 / 3 + 0.18).all()
    assert ((found.summary["roc_auc"] - 0.5).abs() < 0.06).all()
    assert (found.pairs["verdict"] == "no difference").all()
    assert (found.learning_curves["accuracy"] < 1 / 3 + 0.08).all()


def song_contest(**changes):
    settings = ComparisonSettings(
        **{"songs": 240, "folds": 2, "repeats": 1, "epochs": 2, "combine": "none"} | changes
    )
    songs = load(settings.experiment())
    train_rows, test_rows = split_rows(songs.y, 0)
    entrants = tuple(song_entrants(settings))
    return Contest(songs.X, songs.y, entrants, settings.plan(), train_rows, test_rows)


SEARCH = {"tune": True, "trials": 2, "inner_folds": 2}


@pytest.mark.parametrize(
    "changes",
    [{}, {"balance": True, "features": "uncorrelated"}, SEARCH | {"models": ("gbt", "svm")}],
    ids=["plain", "balanced", "searched"],
)
def test_rows_that_judge_change_nothing_in_training(changes):
    """Models are the same to the byte when the rows that judge them are others."""
    contest = song_contest(**changes)
    changed = contest.X.copy()
    changed.iloc[contest.test] = changed.iloc[contest.test] * 100 + 1e6
    y = contest.y.copy()
    y[contest.test] = y[contest.test][::-1]
    other = Contest(changed, y, contest.entrants, contest.plan, contest.train, contest.test)
    for one in contest.entrants:
        before, after = (train(each, Training(one.key, "test")) for each in (contest, other))
        assert before.failure is None, before.failure
        assert before.model == after.model
        assert (before.model is None) == (one.kind == "baseline")
        if one.kind == "model":
            assert not np.array_equal(before.labels, after.labels)


def test_rows_of_other_folds_are_all_that_a_fold_sees(table):
    """A model that remembers its rows has seen those of the fold and no others."""
    X, y = table
    contest = contest_of(X, y, table_entrants({"spy": Spy()}, Plan(), baselines=False))
    for fold, (learned, judged) in enumerate(contest.folds(0)):
        output = train(contest, Training("spy", "fold", 0, fold))
        # It says of a row whether it has seen it: the last class for those it has.
        assert (output.labels == 0).all()
        assert len(output.labels) == len(judged)
        model = fresh_model(contest, Training("spy", "fold", 0, fold))
        assert (model.fit(X.iloc[learned], y[learned]).predict(X.iloc[learned]) == "sad").all()


class Spy(ClassifierMixin, BaseEstimator):
    """Says "sad" of rows that it was fitted on, and "calm" of others."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = {row.tobytes() for row in X.to_numpy()}
        return self

    def predict(self, X):
        return np.array(["sad" if row.tobytes() in self.seen_ else "calm" for row in X.to_numpy()])


def test_the_vote_is_that_of_scikit_learn(small):
    contest = small.contest
    training = Training("mlp", "fold", 1, 2)
    learned, judged = contest.rows(training)
    members = [
        (one.key, fresh_model(contest, Training(one.key, "fold", 1, 2))) for one in contest.members
    ]
    assert [key for key, _ in members] == ["mlp", "svm", "gbt"]
    theirs = VotingClassifier(members, voting="soft").fit(
        contest.X.iloc[learned], contest.y[learned]
    )
    ours = small.outputs[Training("vote", "fold", 1, 2)]
    np.testing.assert_array_equal(ours.probabilities, theirs.predict_proba(contest.X.iloc[judged]))
    np.testing.assert_array_equal(
        contest.classes[ours.labels], theirs.predict(contest.X.iloc[judged])
    )


def test_a_stack_takes_part(table):
    found = compare(
        *table,
        models=["svm", "gbt"],
        combine="stack",
        folds=2,
        repeats=1,
        curve_sizes=0,
        random_state=0,
    )
    row = found.summary.set_index("model").loc["stack"]
    assert row["kind"] == "combination"
    assert row["accuracy"] > 0.75
    assert row["log_loss"] > 0


def test_whoever_else_takes_part_changes_nothing(table, small):
    alone = compare(
        *table, models=["gbt"], baselines=False, folds=3, repeats=2, curve_sizes=3, random_state=5
    )
    assert list(alone.summary["model"]) == ["GBT"]
    for name in ("summary", "test", "learning_curves", "calibration"):
        ours, theirs = getattr(alone, name), getattr(small, name)
        mine = theirs[theirs["model"] == "GBT"].reset_index(drop=True)
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), mine)


def test_the_curve_ends_where_the_folds_are(small):
    curves = small.learning_curves
    assert curves["rows"].nunique() == 3
    assert curves["rows"].max() == 128
    for name, part in curves.groupby("model"):
        folds = small.scores[(small.scores["model"] == name) & (small.scores["repeat"] == 1)]
        assert part["accuracy"].iloc[-1] == pytest.approx(folds["accuracy"].mean())
        assert (part["low"] <= part["accuracy"]).all()
        assert (part["accuracy"] <= part["high"]).all()


def test_disagreements_are_the_rows_themselves(small, table):
    X, _ = table
    found = small.disagreements
    models = ["MLP", "SVM", "LinearSVM", "GBT"]
    assert (found[models].nunique(axis=1) == found["answers"]).all()
    assert (found["answers"] > 1).all()
    assert found["answers"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(
        found[list(X.columns)], X.loc[found["row"]].reset_index(drop=True), check_names=False
    )
    agreed = small.predictions[~small.predictions["row"].isin(found["row"])]
    assert (agreed[models].nunique(axis=1) == 1).all()


def test_confusion_and_agreement_count_the_test_rows(small):
    rows = len(small.contest.test)
    accuracy = small.test.set_index("model")["accuracy"]
    for name, matrix in small.confusion.items():
        assert matrix.sum() == rows
        assert np.trace(matrix) / rows == pytest.approx(accuracy[name])
    assert (np.diag(small.agreement) == 1).all()
    np.testing.assert_array_equal(small.agreement, small.agreement.T)


def test_sizes_are_those_of_the_files(small):
    sizes = small.summary.set_index("model")["model_bytes"]
    for key, name in (("mlp", "MLP"), ("gbt", "GBT")):
        assert sizes[name] == len(small.outputs[Training(key, "test")].model)
    assert sizes["soft vote"] == sizes["MLP"] + sizes["SVM"] + sizes["GBT"]
    assert sizes[["majority class", "logistic regression"]].isna().all()


def test_any_classifier_takes_part(table):
    models = {
        "tree": DecisionTreeClassifier(),
        "ridge": RidgeClassifier(),
        "searched tree": GridSearchCV(
            DecisionTreeClassifier(), {"max_depth": [1, 4]}, cv=StratifiedKFold(2, shuffle=True)
        ),
        "our trees": "gbt",
    }
    runs = [
        compare(*table, models=models, folds=2, repeats=1, curve_sizes=0, random_state=3)
        for _ in range(2)
    ]
    assert set(models) <= set(runs[0].summary["model"])
    assert json.dumps(runs[0].to_dict()) == json.dumps(runs[1].to_dict())
    assert set(runs[0].chosen["model"]) == {"searched tree"}
    assert json.loads(runs[0].chosen["chosen"][0]).keys() == {"max_depth"}


def test_categories_and_missing_values():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = pd.DataFrame(
        {
            "number": np.where(rng.random(120) < 0.2, np.nan, y + rng.normal(size=120)),
            "mood": pd.Categorical(np.where(rng.random(120) < 0.8, y, 1 - y)).rename_categories(
                {0: "low", 1: "high"}
            ),
        }
    )
    found = compare(X, y, models=["svm", "gbt"], folds=2, repeats=1, curve_sizes=0, random_state=0)
    assert not len(found.failures)
    assert (found.summary.set_index("model").loc[["SVM", "GBT"], "accuracy"] > 0.6).all()


def test_tables_of_other_libraries_keep_their_columns(table):
    X, y = table
    expected = compare(X, y, random_state=0, **QUICK).to_dict()
    for kind in (polars.from_pandas, pyarrow.Table.from_pandas):
        found = compare(kind(X), y, random_state=0, **QUICK)
        assert found.to_dict() == expected
        assert "column 3" in found.disagreements


class NeedsRows(DecisionTreeClassifier):
    """Fails where there are few rows."""

    def fit(self, X, y):
        if len(y) < 150:
            raise ValueError(f"{len(y)} rows are too few")
        return super().fit(X, y)


def test_a_failure_on_part_of_the_rows_costs_a_curve_and_no_more():
    X, y = make_table(400)
    models = {"needs rows": NeedsRows(random_state=0)}
    found = compare(X, y, models=models, folds=2, repeats=1, curve_sizes=2, random_state=0)
    assert len(found.failures) == 2
    assert found.unusable == set()
    assert found.summary["accuracy"].notna().all()
    assert "needs rows" in set(found.pairs["first"]) | set(found.pairs["second"])
    mine = found.learning_curves[found.learning_curves["model"] == "needs rows"]
    assert mine["accuracy"].isna().tolist() == [True, False]
    assert any("its curve is not whole" in sentence for sentence in found.sentences())


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_killed_process_is_explained(table, tmp_path):
    kill = FunctionTransformer(lambda X: os.kill(os.getpid(), signal.SIGKILL))
    killer = make_pipeline(kill, DecisionTreeClassifier())
    entrants = table_entrants({"killer": killer}, Plan(), baselines=False)
    contest = contest_of(*table, entrants)
    with pytest.raises(RunFailedError, match="fewer jobs need less"):
        run_trainings(contest, FolderStore(tmp_path), n_jobs=2, listener=Silent())


class Broken(ClassifierMixin, BaseEstimator):
    """Cannot be fitted."""

    def fit(self, X, y):
        raise MemoryError("a matrix of 9 TB")


def test_a_model_that_fails_is_recorded_and_the_others_go_on(table):
    models = {"broken": Broken(), "svm": "svm", "gbt": "gbt"}
    found = compare(*table, models=models, folds=2, repeats=1, curve_sizes=2, random_state=0)
    assert found.summary.iloc[-1]["model"] == "broken"
    assert np.isnan(found.summary.iloc[-1]["accuracy"])
    assert set(found.failures["why"]) == {"MemoryError: a matrix of 9 TB"}
    assert "broken" not in set(found.pairs["first"]) | set(found.pairs["second"])
    assert any("a matrix of 9 TB" in sentence for sentence in found.sentences())
    failed = found.to_dict()["checks"][0]
    assert (failed["name"], failed["ok"]) == ("Failed trainings", False)
    assert found.summary.set_index("model").loc["SVM", "accuracy"] > 0.7


def test_infinite_statistics_are_not_in_json():
    """Machines that are always right lie before the majority by the same in every fold."""
    y = np.arange(80) % 2
    X = pd.DataFrame({"label": y * 1.0})
    found = compare(X, y, models=["linear-svm"], folds=2, repeats=1, curve_sizes=0, random_state=0)
    assert np.isinf(found.pairs["t"]).any()
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert any(one["t"] is None for one in json.loads(text)["pairs"])


def test_nobody_left():
    X, y = make_table(60)
    found = compare(X, y, baselines=False, random_state=0, **QUICK | {"models": {"no": Broken()}})
    assert found.sentences()[0].startswith("No model could be trained")
    assert found.to_dict()["pairs"] == []


def test_warnings_of_trainings_are_counted(table):
    models = {"hasty": LogisticRegression(max_iter=1)}
    found = compare(*table, baselines=False, random_state=0, **QUICK | {"models": models})
    assert found.warnings["trainings"].sum() == 3
    check = next(one for one in found.to_dict()["checks"] if one["name"] == "Warnings")
    assert not check["ok"]
    assert "hasty, 3 times: ConvergenceWarning" in check["text"]


def test_a_search_inside_every_training(table):
    found = compare(
        *table, models=["linear-svm"], tune=True, trials=3, inner_folds=2, folds=2, repeats=1,
        curve_sizes=0, baselines=False, random_state=0,
    )  # fmt: skip
    assert len(found.chosen) == 3
    chosen = [json.loads(one) for one in found.chosen["chosen"]]
    assert all(set(one) >= {"C", "loss"} for one in chosen)


class Interrupting(Silent):
    """Interrupts after some trainings."""

    def __init__(self, after):
        self.after = after
        self.done = 0

    def finished(self, what):
        self.done += 1
        if self.done == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_comparison_goes_on_where_it_stopped(table, tmp_path):
    contest = contest_of(*table)
    whole = run_trainings(contest, MemoryStore(), n_jobs=1, listener=Silent())
    store = FolderStore(tmp_path / "trainings")
    with pytest.raises(KeyboardInterrupt):
        run_trainings(contest, store, n_jobs=1, listener=Interrupting(4))
    files = sorted((tmp_path / "trainings").iterdir())
    assert len(files) == 4
    # A file that a crash of the disk has cut is trained again.
    files[0].write_bytes(files[0].read_bytes()[:100])
    seen = SimpleNamespace(started=lambda total, done: counts.extend([total, done]),
                           finished=lambda what: None, ended=lambda: None)  # fmt: skip
    counts = []
    resumed = run_trainings(contest, store, n_jobs=1, listener=seen)
    assert counts == [len(contest.trainings()), 3]
    names = tuple(contest.classes)
    one, other = (Comparison(contest, outputs, names).to_dict() for outputs in (whole, resumed))
    assert json.dumps(one) == json.dumps(other)


def test_class_names_are_shown(table):
    X, y = table
    codes = np.searchsorted(np.unique(y), y)
    found = compare(
        X.to_numpy(), codes, class_names=["calm", "happy", "sad"], random_state=0, **QUICK
    )
    assert found.class_names == ("calm", "happy", "sad")
    assert set(found.predictions["class"]) == {"calm", "happy", "sad"}
    assert "column 0" in found.disagreements


X, Y = make_table(60)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"models": ["gbd"]}, ValueError, "'gbd' does not exist; did you mean 'gbt'"),
        ({"models": "gbt"}, ValueError, "must be a list or a mapping"),
        ({"models": []}, ValueError, "at least one model"),
        ({"models": {"mine": 3}}, TypeError, r"models\['mine'\] must be .* got int"),
        ({"models": {"GBT": "gbt", "gbt": "gbt"}}, ValueError, "two are called 'GBT'"),
        ({"folds": 1}, ValueError, "folds must be .* at least 2, got 1"),
        ({"repeats": 0}, ValueError, "repeats must be .* at least 1, got 0"),
        ({"curve_sizes": 1}, ValueError, "0 or at least 2"),
        ({"combine": "vot"}, ValueError, "did you mean 'vote'"),
        ({"test_size": 1.5}, ValueError, r"between 0.0 and 1.0, got 1.5"),
        ({"folds": 30}, ValueError, "30 folds need at least 60 of every class"),
        ({"class_names": ["one"]}, ValueError, "1 names for 3 classes"),
        ({"random_state": "seed"}, TypeError, "whole number or None, got 'seed'"),
        ({"y": Y[:10]}, ValueError, r"must have the shape \(10, n_columns\)"),
        ({"y": np.full(60, "sad")}, ValueError, r"at least two classes, got only \['sad'\]"),
        ({"y": np.linspace(0, 1, 60)}, ValueError, "Unknown label type"),
    ],
)
def test_wrong_input_says_what_is_allowed(changes, error, says):
    arguments = {"X": X, "y": Y} | changes
    with pytest.raises(error, match=says):
        compare(arguments.pop("X"), arguments.pop("y"), **arguments)
