"""Checkpoints: training that is interrupted resumes to the same bytes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone

from moodcore import GBT, MLP, Checkpoint, load

QUICK = {"n_estimators": 12, "max_leaves": 6, "min_child_samples": 2, "random_state": 0}


class Interrupted(Exception):
    """Raised by a test in the middle of training."""


class Stop:
    """Interrupt training after some rounds."""

    def __init__(self, rounds):
        self.rounds = rounds

    def __call__(self, record):
        if record["iteration"] + 1 == self.rounds:
            raise Interrupted


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))
    X["e"] = rng.choice(["one", "two", "three"], 600)
    X.loc[rng.random(600) < 0.1, "b"] = np.nan
    score = X["a"] + (X["e"] == "two") + 0.5 * rng.normal(size=600)
    return X, np.digitize(score, [0.0, 1.0])


def fit(model, data, **options):
    X, y = data
    return model.fit(X[:400], y[:400], **options)


def saved(model, path):
    model.save(path)
    return path.read_bytes()


def interrupted(model, checkpoint, rounds, data, **options):
    """Interrupt a training, and return the same one after it was resumed."""
    stopped = clone(model).set_params(callbacks=[checkpoint, Stop(rounds)])
    with pytest.raises(Interrupted):
        fit(stopped, data, **options)
    seen = []
    callbacks = [checkpoint, lambda record: seen.append(record["iteration"])]
    resumed = fit(clone(model).set_params(callbacks=callbacks), data, **options)
    # The rounds after the last one that was written, and no others.
    assert seen[0] == (rounds - 1) // checkpoint.every * checkpoint.every
    return resumed


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"subsample": 0.7, "colsample_bynode": 0.5, "colsample_bytree": 0.8},
        {"boosting": "goss"},
        {"boosting": {"kind": "extra_trees", "extra_rate": 0.5}},
        {"multi_strategy": "multi_output_tree"},
        {"n_estimators": "auto", "max_leaves": "auto", "min_child_samples": "auto"},
        {"class_weight": "balanced", "base_score": None},
        {"early_stopping_rounds": 3, "n_estimators": 60, "learning_rate": 0.3},
        {"validation_fraction": 0.3, "eval_metric": ["error", "logloss"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("rounds", [1, 7, 8])
def test_resumes_to_the_same_bytes(params, rounds, data, tmp_path):
    model = GBT(**{**QUICK, "categorical_features": "from_dtype", **params})
    expected = saved(fit(clone(model), data), tmp_path / "whole")
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=3)
    resumed = interrupted(model, checkpoint, rounds, data)
    assert saved(resumed, tmp_path / "resumed") == expected
    # What is resumed after the last round is the same model.
    again = fit(clone(model).set_params(callbacks=[checkpoint]), data)
    assert saved(again, tmp_path / "again") == expected


@pytest.mark.parametrize("random_state", [None, 5])
def test_the_checkpoint_is_a_model_of_its_rounds(random_state, data, tmp_path):
    X, _ = data
    path = tmp_path / "checkpoint.safetensors"
    model = GBT(**{**QUICK, "random_state": random_state, "subsample": 0.5})
    model.set_params(callbacks=[Checkpoint(path, every=5)], categorical_features="from_dtype")
    whole = fit(model, data)
    part = load(path)
    assert part.n_iter_ == 10
    assert (part.predict_proba(X) == whole[:10].predict_proba(X)).all()
    # A seed that was drawn is that of the checkpoint.
    assert (fit(clone(model), data).predict_proba(X) == whole.predict_proba(X)).all()


def test_early_stopping_remembers_the_best_round(data, tmp_path):
    X, y = data
    evaluated = {"eval_set": [(X[400:], y[400:])]}
    model = GBT(**QUICK, early_stopping_rounds=4, categorical_features="from_dtype")
    model.set_params(n_estimators=80, learning_rate=0.5)
    whole = fit(clone(model), data, **evaluated)
    best = whole.best_iteration_ + 1
    assert whole.n_iter_ < 80
    # After the best round, where resuming must not look for it anew.
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=1)
    resumed = interrupted(model, checkpoint, best + 3, data, **evaluated)
    assert saved(resumed, tmp_path / "resumed") == saved(whole, tmp_path / "whole")
    others = {"eval_set": [(X[380:], y[380:])]}
    with pytest.raises(ValueError, match="resumes on other rows: evaluation set 0 has a metric"):
        fit(clone(model).set_params(callbacks=[checkpoint]), data, **others)


def test_training_that_continues_a_model_resumes(data, tmp_path):
    model = GBT(**QUICK, categorical_features="from_dtype")
    first = fit(clone(model), data)
    expected = saved(fit(clone(model), data, init_model=first), tmp_path / "whole")
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=4)
    resumed = interrupted(model, checkpoint, 19, data, init_model=first)
    assert saved(resumed, tmp_path / "resumed") == expected


def test_training_from_files_resumes(data, tmp_path):
    X, y = data
    table = pa.Table.from_pandas(X.assign(y=y), preserve_index=False)
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=77)
    model = GBT(**QUICK, categorical_features="from_dtype", early_stopping_rounds=50)
    expected = saved(clone(model).fit(tmp_path / "rows.parquet", "y"), tmp_path / "whole")
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=2)
    stopped = clone(model).set_params(callbacks=[checkpoint, Stop(7)])
    with pytest.raises(Interrupted):
        stopped.fit(tmp_path / "rows.parquet", "y")
    assert load(checkpoint.path).n_iter_ == 6
    resumed = clone(model).set_params(callbacks=[checkpoint]).fit(tmp_path / "rows.parquet", "y")
    assert saved(resumed, tmp_path / "resumed") == expected


def test_more_rounds_may_follow_but_not_fewer(data, tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=4)
    model = GBT(**QUICK, categorical_features="from_dtype", callbacks=[checkpoint])
    fit(model, data)
    longer = fit(clone(model).set_params(n_estimators=15), data)
    whole = fit(clone(model).set_params(n_estimators=15, callbacks=None), data)
    assert saved(longer, tmp_path / "a") == saved(whole, tmp_path / "b")
    with pytest.raises(ValueError, match="12 rounds, got n_estimators=9"):
        fit(clone(model).set_params(n_estimators=9), data)
    anew = Checkpoint(checkpoint.path, every=4, resume=False)
    assert fit(clone(model).set_params(n_estimators=9, callbacks=[anew]), data).n_iter_ == 9
    assert load(checkpoint.path).n_iter_ == 8


def other_labels(X, y):
    return X, np.where(np.arange(len(y)) == 3, (y + 1) % 3, y)


def other_values(X, y):
    return X.assign(a=X["a"] * 2), y


def other_classes(X, y):
    return X, y + 1


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({"max_leaves": 7}, None, "training with max_leaves=6, got 7"),
        ({"n_estimators": "auto"}, None, "training with n_estimators=12, got 'auto'"),
        ({"random_state": 1}, None, "another seed than that of random_state=1"),
        ({"validation_fraction": 0.2}, None, "validation_fraction=None, got 0.2"),
        ({}, other_labels, "the shares of the classes differ"),
        ({}, other_values, "the bins of the features differ"),
        ({}, other_classes, r"the classes \[0, 1, 2\], got \[1, 2, 3\]"),
        ({}, lambda X, y: (X[["b", "a", "c", "d", "e"]], y), "other columns or categories"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(params, change, message, data, tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", every=4)
    model = GBT(**QUICK, categorical_features="from_dtype", callbacks=[checkpoint])
    fit(model, data)
    before = saved(model, tmp_path / "before")
    with pytest.raises(ValueError, match=message):
        fit(model.set_params(**params), data if change is None else change(*data))
    model.set_params(**QUICK, validation_fraction=None)
    assert saved(model, tmp_path / "after") == before


def test_what_is_refused(data, tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    with pytest.raises(ValueError, match="Checkpoint with boosting='dart'"):
        fit(
            GBT(**QUICK, boosting="dart", callbacks=[checkpoint]),
            (data[0].drop(columns="e"), data[1]),
        )
    with pytest.raises(ValueError, match="at most one Checkpoint, got 2"):
        fit(GBT(**QUICK, callbacks=[checkpoint, checkpoint]), data)
    with pytest.raises(TypeError, match="callbacks of MLP must not contain a Checkpoint"):
        MLP(callbacks=[checkpoint]).fit(data[0][["a"]], data[1])
    with pytest.raises(ValueError, match="every must be an int of at least 1, got 0"):
        Checkpoint("file", every=0)
    MLP(epochs=1).fit(data[0][["a"]], data[1]).save(checkpoint.path)
    with pytest.raises(ValueError, match="must be a GBT, got MLP"):
        fit(GBT(**QUICK, callbacks=[checkpoint]), data)
    assert repr(checkpoint).startswith("Checkpoint('")
