"""Comparisons with failed trainings, or that end before all trainings are done."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from three_moods import QUICK, check_of, make_table, run_of

from moodcore.comparison import compare
from moodcore.errors import RunFailedError
from moodcore.runs.folder import RunFolder
from moodcore.runs.listener import Listener
from moodcore.runs.run import Execution


class NeedsRows(DecisionTreeClassifier):
    """Fails where there are few rows."""

    def fit(self, X, y):
        if len(y) < 150:
            raise ValueError(f"{len(y)} rows are too few")
        return super().fit(X, y)


def test_a_failure_on_part_of_the_rows_costs_points_of_a_curve():
    X, y = make_table(400)
    models = {"needs rows": NeedsRows(random_state=0)}
    result = compare(X, y, **QUICK | {"models": models, "curve_sizes": 2})
    assert len(result.failures) == 2
    assert result.table["accuracy"].notna().all()
    assert "needs rows" in set(result.pairs["first"]) | set(result.pairs["second"])
    curve = result.learning_curves[result.learning_curves["model"] == "needs rows"]
    assert curve["accuracy"].isna().tolist() == [True, False]
    assert "incomplete learning curve" in check_of(result, "Failed trainings")["text"]


def kill(X):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_killed_process_is_explained(table, tmp_path):
    killer = make_pipeline(FunctionTransformer(kill), DecisionTreeClassifier())
    with pytest.raises(RunFailedError, match="killed from outside"):
        compare(*table, **QUICK | {"models": {"killer": killer}, "n_jobs": 2})


class Broken(ClassifierMixin, BaseEstimator):
    """Cannot be fitted."""

    def fit(self, X, y):
        raise MemoryError("a matrix of 9 TB")


def test_a_model_that_fails_is_recorded_and_the_others_continue(table):
    models = {"broken": Broken(), "svm": "svm", "gbt": "gbt"}
    result = compare(*table, **QUICK | {"models": models, "curve_sizes": 2})
    assert result.table.index[-1] == "broken"
    assert np.isnan(result.table.iloc[-1]["accuracy"])
    assert set(result.failures["why"]) == {"MemoryError: a matrix of 9 TB"}
    assert "broken" not in set(result.pairs["first"]) | set(result.pairs["second"])
    check = check_of(result, "Failed trainings")
    assert not check["ok"]
    assert "not compared" in check["text"]
    assert "a matrix of 9 TB" in check["text"]
    assert result.table.loc["SVM", "accuracy"] > 0.7


def test_no_model_is_left(table):
    with pytest.raises(RunFailedError, match="no model could be trained: no: MemoryError"):
        compare(*table, baselines=False, **QUICK | {"models": {"no": Broken()}})


def test_warnings_of_trainings_are_counted(table):
    models = {"hasty": LogisticRegression(max_iter=1)}
    results = [
        compare(*table, baselines=False, **QUICK | {"models": models, "n_jobs": jobs})
        for jobs in (1, 2)
    ]
    assert results[0].metrics == results[1].metrics
    assert sum(row["trainings"] for row in results[0].metrics["warnings"]) == 3
    check = check_of(results[0], "Warnings")
    assert not check["ok"]
    assert "hasty (3 trainings): ConvergenceWarning" in check["text"]


class Stopping(Listener):
    """Stops the run after some trainings."""

    def __init__(self, after=None):
        self.after, self.stop, self.counts, self.done = after, threading.Event(), None, 0

    def started(self, total, done, unit):
        self.counts = (total, done)

    def advanced(self, count=1):
        self.done += count
        if self.done == self.after:
            self.stop.set()


def test_an_interrupted_comparison_continues_where_it_stopped(table, tmp_path):
    from moodcore.runs.interrupts import RunInterruptedError

    whole = compare(*table, **QUICK)
    results = tmp_path / "run" / "results"

    def carry_out(after=None):
        listener = Stopping(after)
        execution = Execution(listener=listener, stop=listener.stop)
        run = run_of(*table, ["linear-svm"], execution, folds=2)
        dataset = run.load()
        folder = RunFolder(tmp_path / "run")
        if not folder.path.exists():
            run.begin(folder.path, dataset)
        return run.run(folder, dataset), listener

    with pytest.raises(RunInterruptedError):
        carry_out(after=4)
    files = sorted(results.iterdir())
    assert len(files) == 4
    # A file that was cut off is trained again.
    files[0].write_bytes(files[0].read_bytes()[:100])
    metrics, listener = carry_out()
    assert listener.counts == (12, 3)
    assert {name: value for name, value in metrics.items() if name != "settings"} == {
        name: value for name, value in whole.metrics.items() if name != "settings"
    }


def test_a_time_limit_gives_tables_of_the_complete_folds(table):
    limited = compare(*table, **QUICK | {"folds": 3, "curve_sizes": 3, "minutes": 1e-9})
    assert limited.metrics["complete"] is False
    assert sorted(set(limited.scores["fold"])) == [1, 2]
    assert not len(limited.learning_curves)
    check = check_of(limited, "Time limit")
    assert not check["ok"]
    assert "2 of 3 folds, 0 of 3 points" in check["text"]
    assert "time limit" in repr(limited)
    whole = compare(*table, **QUICK | {"folds": 3, "curve_sizes": 3})
    assert whole.metrics["complete"] is True
    common = whole.scores[whole.scores["fold"] < 3]
    keys = ["model", "repeat", "fold"]
    pd.testing.assert_frame_equal(
        limited.scores.sort_values(keys, ignore_index=True),
        common.sort_values(keys, ignore_index=True),
    )
    pd.testing.assert_frame_equal(
        limited.test.sort_values("model", ignore_index=True),
        whole.test.sort_values("model", ignore_index=True),
    )


def test_divergence_in_the_first_epoch_is_a_failure(table):
    from moodcore import MLP

    models = {
        "fast": MLP(optimizer="sgd", activation="relu", learning_rate=1e38, epochs=2),
        "tree": DecisionTreeClassifier(),
    }
    result = compare(*table, baselines=False, combine="none", **QUICK | {"models": models})
    assert set(result.failures["model"]) == {"fast"}
    assert result.failures["why"].str.contains("diverged in the first epoch").all()
