"""Comparisons of any table: no leakage, the same rows for all models, nothing lost."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from three_moods import QUICK, check_of, make_table, run_of

import moodcore
from moodcore.comparison import Comparison, compare
from moodcore.comparison.output import METRICS, Output
from moodcore.comparison.results import Results
from moodcore.comparison.run import CompareRun
from moodcore.comparison.settings import CompareSettings
from moodcore.comparison.training import Task, Training, TrainingJob
from moodcore.runs.folds import cut
from moodcore.runs.models import seeded
from moodcore.runs.statistics import resampled_interval

NAMES = {
    "MLP",
    "SVM",
    "LinearSVM",
    "GBT",
    "soft vote",
    "majority class",
    "logistic regression",
    "nearest neighbors",
}


def task_of(run):
    """Rows and models of a run."""
    dataset = run.load()
    return Task.of(dataset, run.settings), run.models(dataset)


def train(task, model, stage="test", *place):
    return TrainingJob(Training(model.key, stage, *place), model.estimator).run(task, lambda: False)


@pytest.fixture(scope="module")
def task_and_models(table):
    """Those of `small`."""
    models = ("mlp", "svm", "linear-svm", "gbt")
    return task_of(run_of(*table, models, repeats=2, curve_sizes=3, seed=5))


def test_all_models_are_trained_on_the_same_folds(small):
    assert set(small.table.index) == NAMES
    assert len(small.scores) == len(NAMES) * 3 * 2
    assert len(small.pairs) == len(NAMES) * (len(NAMES) - 1) // 2
    best = small.table.iloc[0]
    assert best["accuracy"] == small.table["accuracy"].max() > 0.75
    assert (small.pairs["difference"] >= -1e-12).all()


def test_the_table_is_computed_from_the_scores(small):
    for model, row in small.table.iterrows():
        of_model = small.scores[small.scores["model"] == model]
        for name, (low, high) in METRICS.items():
            if np.isnan(row[name]):
                continue
            interval = resampled_interval(of_model[name], 1 / 2)
            assert row[name] == pytest.approx(of_model[name].mean())
            assert row[f"{name}_low"] == max(interval.low, low)
            assert row[f"{name}_high"] == min(interval.high, high)


def test_a_model_without_probabilities_has_no_metrics_of_them(small):
    row = small.table.loc["LinearSVM"]
    assert row[["log_loss", "brier", "calibration_error"]].isna().all()
    assert row["roc_auc"] > 0.8
    assert small.metrics["summary"][0]["log_loss"] is not None
    row = next(row for row in small.metrics["summary"] if row["model"] == "LinearSVM")
    assert row["log_loss"] is None


def test_the_test_rows_are_held_out(task_and_models):
    task, models = task_and_models
    assert set(task.X.index).isdisjoint(task.X_test.index)
    assert len(task.X) + len(task.X_test) == 240
    for training in task.trainings(models):
        if training.stage != "test":
            learned, scored = task.rows(training)
            assert set(learned).isdisjoint(scored)
    for folds in task.folds:
        scored = np.concatenate([scored for _, scored in folds])
        assert sorted(scored) == list(range(len(task.y)))


def test_the_first_repeat_has_the_folds_of_tune(task_and_models):
    task, _ = task_and_models
    for (_, ours), (_, theirs) in zip(task.folds[0], cut(task.y, 3, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(task.folds[0][0][1], task.folds[1][0][1])


def test_shuffled_labels_leave_all_models_at_chance():
    """Whatever leaks from validation rows into training would show here."""
    X, y = make_table(360, shuffled=True, seed=1)
    result = compare(X, y, folds=3, repeats=2, curve_sizes=2, n_jobs=1)
    assert set(result.table.index) == NAMES
    # Three classes of 120 rows: a standard deviation of 0.03 on 288 rows, of 0.055 on 72.
    assert (result.table["accuracy"] < 1 / 3 + 0.08).all()
    assert (result.test["accuracy"] < 1 / 3 + 0.18).all()
    assert ((result.table["roc_auc"] - 0.5).abs() < 0.06).all()
    assert (result.pairs["verdict"] == "no difference").all()
    assert (result.learning_curves["accuracy"] < 1 / 3 + 0.08).all()
    check = check_of(result, "Majority class")
    assert not check["ok"]
    assert "GBT" in check["text"]
    few = compare(X, y, **QUICK)
    check = check_of(few, "Majority class")
    assert check["ok"]
    assert check["text"].startswith("Not enough folds")


SEARCH = {"tune": True, "trials": 2, "inner_folds": 2}


@pytest.mark.parametrize(
    "changes",
    [{}, {"balance": True, "features": "uncorrelated"}, SEARCH | {"models": ("gbt", "svm")}],
    ids=["plain", "balanced", "searched"],
)
def test_test_rows_change_nothing_in_training(changes):
    """Models of songs are the same to the byte when the test rows are others."""
    values = {"rows": 240, "folds": 2, "repeats": 1, "epochs": 2, "combine": "none"}
    task, models = task_of(CompareRun(CompareSettings(**values | changes)))
    changed = Task(task.X, task.y, task.X_test * 100 + 1e6, task.y_test[::-1], None, task.settings)
    for model in models:
        before, after = (train(each, model) for each in (task, changed))
        assert before.failure is None, before.failure
        assert before.model == after.model
        assert (before.model is None) == (model.kind == "baseline")
        if model.kind == "model":
            assert not np.array_equal(before.labels, after.labels)


def test_tables_are_compared_by_the_defaults_of_the_classes(table):
    def estimators(run):
        return {model.key: model.estimator[-1] for model in task_of(run)[1] if model.is_trained}

    given = {"mlp": "mlp", "gbt": "gbt", "svm": "svm"}
    models = estimators(run_of(*table, given, baselines=False, base="defaults", epochs=None))
    expected = {
        "mlp": moodcore.MLP(n_jobs=1),
        "gbt": moodcore.GBT(n_jobs=1),
        "svm": moodcore.SVM(n_jobs=1, probability=True),
    }
    for name, model in expected.items():
        assert models[name].get_params() == model.get_params(), name
    few = estimators(run_of(*table, given, baselines=False, base="defaults", epochs=7))
    assert few["mlp"].epochs == few["gbt"].n_estimators == 7
    assert few["mlp"].optimizer == "adam"


def test_the_base_follows_the_data():
    for tune in (False, True):
        assert CompareSettings(tune=tune).base == "experiment"
        assert CompareSettings(tune=tune).epochs == 300
        assert CompareSettings(target="x", tune=tune).base == "defaults"
        assert CompareSettings(target="x", tune=tune).epochs is None


def test_labels_in_memory_are_no_songs(table):
    result = compare(*table, **QUICK)
    assert result.metrics["settings"]["base"] == "defaults"


class Spy(ClassifierMixin, BaseEstimator):
    """Predicts "sad" for rows that it was fitted on, and "calm" for others."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = {row.tobytes() for row in X.to_numpy()}
        return self

    def predict(self, X):
        return np.array(["sad" if row.tobytes() in self.seen_ else "calm" for row in X.to_numpy()])


def test_a_fold_sees_its_training_rows_only(table):
    models = {"spy": make_pipeline("passthrough", Spy())}
    task, (model,) = task_of(run_of(*table, models, baselines=False))
    for fold, (learned, scored) in enumerate(task.folds[0]):
        output = train(task, model, "fold", 0, fold)
        assert output.failure is None
        # "calm" is the first class.
        assert (output.labels == 0).all()
        assert len(output.labels) == len(scored)
        fitted = seeded(model.estimator, 0).fit(task.X.iloc[learned], task.y[learned])
        assert (fitted.predict(task.X.iloc[learned]) == "sad").all()


def test_the_vote_is_that_of_scikit_learn(task_and_models):
    task, models = task_and_models
    training = Training("vote", "fold", 1, 2)
    learned, scored = task.rows(training)
    members = [model for model in models if model.is_member]
    assert [model.key for model in members] == ["mlp", "svm", "gbt"]
    theirs = VotingClassifier(
        [(model.key, seeded(model.estimator, task.seed(training))) for model in members],
        voting="soft",
    ).fit(task.X.iloc[learned], task.y[learned])
    outputs = {training.of(m).key: train(task, m, "fold", 1, 2) for m in members}
    ours = Results(task, models, outputs, task.classes)._outputs[training]
    X = task.X.iloc[scored]
    np.testing.assert_array_equal(ours.probabilities, theirs.predict_proba(X))
    np.testing.assert_array_equal(task.classes[ours.labels], theirs.predict(X))


def test_a_stack_is_compared(table):
    result = compare(*table, **QUICK | {"models": ["svm", "gbt"], "combine": "stack"})
    row = result.table.loc["stack"]
    assert row["kind"] == "combination"
    assert row["accuracy"] > 0.75
    assert row["log_loss"] > 0


def test_other_models_change_nothing(table, small):
    alone = compare(
        *table, models=["gbt"], baselines=False, folds=3, repeats=2, curve_sizes=3, seed=5, n_jobs=1
    )
    assert list(alone.table.index) == ["GBT"]
    assert "GBT" in small.metrics["members"]
    for name in ("scores", "test", "learning_curves", "calibration"):
        ours, theirs = getattr(alone, name), getattr(small, name)
        theirs = theirs[theirs["model"] == "GBT"].reset_index(drop=True)
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs)


def test_the_curve_ends_at_the_folds(small):
    curves = small.learning_curves
    assert curves["rows"].nunique() == 3
    assert curves["rows"].max() == 128
    for name, part in curves.groupby("model"):
        folds = small.scores[(small.scores["model"] == name) & (small.scores["repeat"] == 1)]
        assert part["accuracy"].iloc[-1] == pytest.approx(folds["accuracy"].mean())
        assert (part["low"] <= part["accuracy"]).all()
        assert (part["accuracy"] <= part["high"]).all()


def test_a_curve_of_few_rows_has_points_that_can_be_trained():
    """Of 121 rows of three classes in a fold, a part of 120 leaves too few to be stratified."""
    X, y = make_table(227)
    task, _ = task_of(run_of(X, y, ["gbt"], curve_sizes=3, baselines=False))
    assert task.curve_sizes == []
    X, y = make_table(240)
    task, (model,) = task_of(run_of(X, y, ["gbt"], curve_sizes=3, baselines=False))
    assert task.curve_sizes[-1] == min(len(train) for train, _ in task.folds[0])
    for size in range(len(task.curve_sizes) - 1):
        assert train(task, model, "curve", 0, 0, size).failure is None


def test_disagreements_are_the_rows_themselves(small, table):
    X, _ = table
    disputed = small.disagreements
    models = ["MLP", "SVM", "LinearSVM", "GBT"]
    assert (disputed[models].nunique(axis=1) == disputed["answers"]).all()
    assert (disputed["answers"] > 1).all()
    assert disputed["answers"].is_monotonic_decreasing
    assert len(disputed) == small.metrics["disputed"]
    pd.testing.assert_frame_equal(
        disputed[list(X.columns)], X.loc[disputed["row"]].reset_index(drop=True), check_names=False
    )
    agreed = small.predictions[~small.predictions["row"].isin(disputed["row"])]
    assert (agreed[models].nunique(axis=1) == 1).all()


def test_confusion_and_agreement_count_the_test_rows(small):
    rows = small.metrics["test_rows"]
    accuracy = small.test.set_index("model")["accuracy"]
    for name, table in small.confusion.groupby("model"):
        assert table["rows"].sum() == rows
        correct = table.loc[table["class"] == table["predicted"], "rows"].sum()
        assert correct / rows == pytest.approx(accuracy[name])
    assert (np.diag(small.agreement) == 1).all()
    np.testing.assert_array_equal(small.agreement, small.agreement.T)


def test_songs_and_the_sizes_of_their_files(tmp_path):
    settings = {"models": ["mlp", "gbt"], "epochs": 3, "rows": 400, "folds": 2, "repeats": 1}
    result = compare(**settings, curve_sizes=0, n_jobs=1, out=tmp_path / "run")
    assert result.metrics["data"]["preset"] == "songs"
    sizes = result.table["model_bytes"]
    for key, name in (("mlp", "MLP"), ("gbt", "GBT")):
        assert sizes[name] == (tmp_path / "run/models" / f"{key}.safetensors").stat().st_size
    assert sizes["soft vote"] == sizes["MLP"] + sizes["GBT"]
    assert sizes[["majority class", "logistic regression"]].isna().all()
    assert (tmp_path / "run/report.html").is_file()
    again = Comparison.read(tmp_path / "run")
    pd.testing.assert_frame_equal(result.table, again.table)
    best = again.metrics["best"]
    X, _ = moodcore.songs.synthesize(400, random_state=0)
    codes = again.best_model.predict(X.loc[again.predictions["row"]])
    names = [moodcore.songs.LABEL_NAMES[code] for code in codes]
    assert names == again.predictions[best].tolist()


def test_any_classifier_can_be_compared(table):
    tree = GridSearchCV(
        DecisionTreeClassifier(), {"max_depth": [1, 4]}, cv=StratifiedKFold(2, shuffle=True)
    )
    pipeline = make_pipeline(StandardScaler(), moodcore.MLP((4,)))
    models = {
        "tree": DecisionTreeClassifier(),
        "ridge": RidgeClassifier(),
        "searched tree": tree,
        "searched pipeline": GridSearchCV(pipeline, {"mlp__epochs": [2]}),
        "our trees": "gbt",
    }
    first, second = (compare(*table, **QUICK | {"models": models}) for _ in range(2))
    assert not len(first.failures)
    assert set(models) <= set(first.table.index)
    assert first.metrics == second.metrics
    assert set(first.chosen["model"]) == {"searched tree", "searched pipeline"}
    assert json.loads(first.chosen["chosen"][0]).keys() == {"max_depth"}
    balanced = compare(*table, balance=True, **QUICK | {"models": {"own": pipeline}})
    assert not len(balanced.failures)
    listed = compare(*table, **QUICK | {"models": ["gbt", RidgeClassifier()]})
    assert {"GBT", "RidgeClassifier"} <= set(listed.table.index)


def test_a_best_model_of_another_library_is_the_one_tested(table, tmp_path):
    X, y = table
    models = {"tree": DecisionTreeClassifier(max_depth=6)}
    result = compare(X, y, **QUICK | {"models": models}, out=tmp_path / "run")
    predicted = result.best_model.predict(X.loc[result.predictions["row"]])
    assert predicted.tolist() == result.predictions["tree"].tolist()
    again = Comparison.read(tmp_path / "run")
    assert repr(again) == repr(result)
    with pytest.raises(ValueError, match="'tree', is of another library"):
        _ = again.best_model


def test_the_best_model_of_a_table_is_in_a_file(table, tmp_path):
    X, y = table
    result = compare(X, y, **QUICK, out=tmp_path / "run")
    again = Comparison.read(tmp_path / "run")
    for comparison in (result, again):
        predicted = comparison.best_model.predict(X.loc[result.predictions["row"]])
        assert predicted.tolist() == result.predictions["LinearSVM"].tolist()


NOTEBOOK = """
from sklearn.tree import DecisionTreeClassifier
from three_moods import make_table
from moodcore import compare

class Stump(DecisionTreeClassifier):
    def __init__(self, max_depth=1, random_state=None):
        super().__init__(max_depth=max_depth, random_state=random_state)

X, y = make_table()
settings = {"folds": 2, "repeats": 1, "curve_sizes": 0, "baselines": False}
results = [compare(X, y, models=[Stump()], n_jobs=jobs, **settings) for jobs in (1, 2)]
assert not len(results[0].failures), results[0].failures
assert results[0].metrics == results[1].metrics
print(results[0].best_model)
"""


def test_a_class_of_a_notebook_is_trained_in_processes(tmp_path):
    (tmp_path / "three_moods.py").write_bytes(
        Path(__file__).with_name("three_moods.py").read_bytes()
    )
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Stump(random_state=" in done.stdout


def test_representations_are_short(small):
    text = repr(small)
    assert text.splitlines()[0] == "<Comparison of 8 models on 240 rows>"
    assert len(text.splitlines()) == 2 + 8
    assert len(text) < 1000
    assert "<td>" in small._repr_html_()


def test_categories_and_missing_values():
    rng = np.random.default_rng(0)
    y = np.arange(160) % 2
    X = pd.DataFrame(
        {
            "number": np.where(rng.random(160) < 0.2, np.nan, y + rng.normal(size=160)),
            "mood": pd.Categorical(np.where(rng.random(160) < 0.8, y, 1 - y)).rename_categories(
                {0: "low", 1: "high"}
            ),
        }
    )
    models = {"svm": "svm", "gbt": "gbt", "tree": DecisionTreeClassifier(max_depth=3)}
    result = compare(X, y, **QUICK | {"models": models})
    assert not len(result.failures)
    assert (result.table["accuracy"].drop("majority class") > 0.6).all()


def test_tables_of_other_libraries_keep_their_columns(table):
    X, y = table
    expected = compare(X, y, **QUICK)
    for kind in (polars.from_pandas, pyarrow.Table.from_pandas):
        result = compare(kind(X), y, **QUICK)
        pd.testing.assert_frame_equal(result.scores, expected.scores)
        assert "column 3" in result.disagreements


def test_a_path_or_a_frame_with_a_column_name(table, tmp_path):
    X, y = table
    frame = X.assign(mood=y)
    frame.to_csv(tmp_path / "moods.csv", index=False)
    expected = compare(X, y, **QUICK).scores
    for data in (frame, tmp_path / "moods.csv"):
        result = compare(data, "mood", **QUICK)
        pd.testing.assert_frame_equal(result.scores, expected)
        assert result.metrics["data"]["target"] == "mood"


def test_a_separate_table_for_the_test(table, tmp_path):
    X, y = table
    X.assign(mood=y).iloc[:60].to_csv(tmp_path / "test.csv", index=False)
    result = compare(X.assign(mood=y).iloc[60:], "mood", test=tmp_path / "test.csv", **QUICK)
    assert (result.metrics["train_rows"], result.metrics["test_rows"]) == (180, 60)
    assert result.predictions["row"].tolist() == list(range(60))


def test_class_names_are_shown(table):
    X, y = table
    codes = np.searchsorted(np.unique(y), y)
    names = ["NA", "1", "sad"]
    result = compare(X.to_numpy(), codes, class_names=names, **QUICK)
    assert result.metrics["classes"] == names
    assert set(result.predictions["class"]) == set(names)
    assert set(result.predictions["LinearSVM"]) == set(names)


def test_few_folds_give_no_verdict_about_the_majority_class():
    """On three folds LinearSVM (97 %) was not better than the majority class (63 %)."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    result = compare(X, y, **QUICK | {"folds": 3})
    pairs = result.pairs.set_index(["first", "second"])
    assert pairs.loc[("LinearSVM", "majority class"), "verdict"] == "test only"
    assert set(pairs["verdict"]) == {"test only", "not enough folds"}
    assert "significantly better than the majority" not in result.summary
    assert check_of(result, "Majority class")["ok"]


def test_a_leak_an_imbalance_and_false_confidence_are_pointed_out():
    y = np.repeat(["few", "many"], [40, 160])
    X = pd.DataFrame({"leak": (y == "few") * 1.0, "noise": np.random.default_rng(0).random(200)})
    leaking = compare(X, y, **QUICK | {"models": ["gbt"]})
    assert not check_of(leaking, "Leak")["ok"]
    assert "computed from the label" in check_of(leaking, "Leak")["text"]
    assert not check_of(leaking, "Class imbalance")["ok"]
    assert "many has 4.0 times as many rows as few" in check_of(leaking, "Class imbalance")["text"]
    # A whole tree is sure of everything, and here often wrong.
    trees = {"tree": DecisionTreeClassifier()}
    sure = compare(X[["noise"]], y, baselines=False, **QUICK | {"models": trees})
    assert not check_of(sure, "Calibration")["ok"]
    assert "tree (" in check_of(sure, "Calibration")["text"]


def test_checks_are_made(small):
    checks = {check["name"]: check["ok"] for check in small.metrics["checks"]}
    assert set(checks) == {
        "Failed trainings",
        "Warnings",
        "Class imbalance",
        "Majority class",
        "Leak",
        "Calibration",
        "Test and folds",
    }
    assert checks["Failed trainings"] and checks["Class imbalance"] and checks["Leak"]
    assert checks["Majority class"]


def test_a_job_can_be_sent_to_another_process(table):
    task, models = task_of(run_of(*table))
    job = pickle.loads(pickle.dumps(TrainingJob(Training("gbt", "test"), models[1].estimator)))
    output = job.run(pickle.loads(pickle.dumps(task)), lambda: False)
    np.testing.assert_array_equal(output.labels, train(task, models[1]).labels)
    assert job.run(task, lambda: True) is None
    assert isinstance(job.failure("no memory"), Output)


X, Y = make_table(60)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"models": ["gbd"]}, ValueError, "'gbd' does not exist; did you mean 'gbt'"),
        ({"models": "gbt"}, ValueError, "must be a list or a mapping"),
        ({"models": []}, ValueError, "at least one model"),
        ({"models": {"mine": 3}}, TypeError, r"models\['mine'\] must be .* got 3"),
        ({"models": {"GBT": "gbt", "gbt": "gbt"}}, ValueError, "'GBT' is the name of two models"),
        ({"models": [RidgeClassifier(), RidgeClassifier()]}, ValueError, "pass a mapping"),
        ({"folds": 1}, ValueError, "folds must be .* at least 2, got 1"),
        ({"repeats": 0}, ValueError, "repeats must be .* at least 1, got 0"),
        ({"curve_sizes": 1}, ValueError, "0 or at least 2"),
        ({"combine": "vot"}, ValueError, "did you mean 'vote'"),
        ({"test_size": 1.5}, ValueError, r"between 0.0 and 1.0, got 1.5"),
        ({"folds": 30}, ValueError, "30 folds need at least 60"),
        ({"class_names": ["one"]}, ValueError, r"one name per class \(3\), got 1"),
        ({"random_state": "seed"}, ValueError, "seed must be .* got 'seed'"),
        ({"random_state": 1, "seed": 2}, ValueError, "the same setting"),
        ({"fold": 3}, ValueError, "did you mean 'folds'"),
        ({"y": Y[:10]}, ValueError, "one label per row"),
        ({"y": np.full(60, "sad")}, ValueError, "two classes are needed"),
        ({"y": np.linspace(0, 1, 60)}, ValueError, "trains classifiers"),
    ],
)
def test_wrong_input_is_explained(changes, error, message):
    arguments = {"X": X, "y": Y, "n_jobs": 1} | changes
    with pytest.raises(error, match=message):
        compare(arguments.pop("X"), arguments.pop("y"), **arguments)
