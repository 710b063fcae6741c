"""Boosted trees trained by Dask workers: the bytes of a training in one process."""

import dataclasses
import os
import signal

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from moodcore import GBT, Checkpoint, load
from moodcore.dask import GBT as DaskGBT

from .conftest import PATIENCE
from .trees import Data, assert_same, categories, file_bytes, numbers


def objectives():
    """Return two objectives, which are sent to workers by value because they are local."""

    def squared_error(y, margins, sample_weight=None):
        # The margin of the class should be 1, and -1 of the others.
        if margins.ndim == 1:
            return margins - (2.0 * y - 1.0), np.full(margins.shape, 2.0)
        target = np.where(np.arange(margins.shape[1]) == y[:, np.newaxis], 1.0, -1.0)
        return margins - target, np.full(margins.shape, 2.0)

    def of_all_rows(y, margins):
        return margins - y.mean(), np.ones(margins.shape)

    return squared_error, of_all_rows


SQUARED_ERROR, OF_ALL_ROWS = objectives()
CASES = {
    "numbers": (numbers, {"n_estimators": 4}, False, {}),
    "defaults": (numbers, {}, False, {}),
    "categories": (categories, {"n_estimators": 4, "max_bin": 60}, False, {}),
    "whole weights": (categories, {"n_estimators": 4, "max_bin": 60}, True, {}),
    "real weights": (numbers, {"n_estimators": 4, "class_weight": "balanced"}, True, {}),
    "sampled": (numbers, {"n_estimators": 4, "subsample": 0.5, "colsample_bynode": 0.5}, False, {}),
    "extra trees": (categories, {"n_estimators": 4, "boosting": "extra_trees"}, False, {}),
    "dart": (numbers, {"n_estimators": 6, "boosting": "dart"}, False, {}),
    "vector leaves": (
        categories,
        {"n_estimators": 3, "multi_strategy": "multi_output_tree"},
        False,
        {},
    ),
    "constraints": (
        categories,
        {
            "n_estimators": 4,
            "monotone_constraints": {"yes": {"a": 1}},
            "interaction_constraints": [["a", "text"], ["b", "many"]],
        },
        False,
        {},
    ),
    "held out": (numbers, {"n_estimators": 30, "early_stopping_rounds": 3}, True, {}),
    "goss": (numbers, {"n_estimators": 4, "boosting": "goss", "max_bin": 60}, True, {}),
    "goss of categories": (categories, {"n_estimators": 3, "boosting": "goss"}, False, {}),
    "objective": (numbers, {"n_estimators": 4, "objective": SQUARED_ERROR}, False, {}),
    "objective of classes": (categories, {"n_estimators": 3, "objective": SQUARED_ERROR}, True, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_models_are_those_of_one_process(workers, tmp_path, case):
    make, parameters, weighted, fit = CASES[case]
    data, parameters = make(), {"random_state": 3, **parameters}
    X, y, weight = data.collections(weighted)
    trained = DaskGBT(**parameters).fit(X, y, weight, client=workers, **fit)
    assert_same(trained, parameters, data, tmp_path, weighted=weighted, **fit)


@pytest.mark.parametrize("make", [numbers, categories])
@pytest.mark.parametrize("more", [{}, {"early_stopping_rounds": 2}, {"learning_rate": 0.3}])
def test_base_margins_belong_to_their_rows(workers, tmp_path, make, more):
    data, parameters = make(), {"random_state": 3, **more}
    if more != {"learning_rate": 0.3}:
        parameters |= {"n_estimators": 5}
    X, y, weight = data.collections(weighted=True)
    margin = np.random.default_rng(7).normal(size=(len(data.y), 3))
    lazy = da.from_array(margin, chunks=(X.chunks[0] if make is numbers else 300, 3))
    trained = DaskGBT(**parameters).fit(X, y, weight, client=workers, base_margin=lazy)
    assert_same(trained, parameters, data, tmp_path, weighted=True, base_margin=margin)


@pytest.mark.parametrize("n_workers", [1, 2, 4])
@pytest.mark.parametrize("n_parts", [4, 9])
def test_any_number_of_workers_and_partitions(workers, tmp_path, n_workers, n_parts):
    data = dataclasses.replace(numbers(), n_parts=n_parts)
    X, y, _ = data.collections(weighted=False)
    parameters = {"n_estimators": 3, "random_state": 3, "n_jobs": 2}
    addresses = sorted(workers.scheduler_info()["workers"])[:n_workers]
    with dask.annotate(workers=addresses, allow_other_workers=False):
        X, y = (part.map_blocks(np.copy) for part in (X, y))
        X, y = workers.persist([X, y], optimize_graph=False)
    trained = DaskGBT(**parameters).fit(X, y, client=workers)
    assert_same(trained, parameters, data, tmp_path)


def test_evaluation_sets_and_metrics(workers, tmp_path):
    data, other = categories(), categories(400, seed=5)
    X, y, _ = data.collections(weighted=False)
    parameters = {"n_estimators": 20, "random_state": 1, "early_stopping_rounds": 4,
                  "eval_metric": ["error", "auc"]}  # fmt: skip
    sets = {"other": (other.X, other.y)}
    lazy = {"other": other.collections(weighted=False)[:2]}
    trained = DaskGBT(**parameters).fit(X, y, client=workers, eval_set=lazy)
    assert_same(trained, parameters, data, tmp_path, eval_set=sets)
    assert list(trained.evals_result_["other"]) == ["error", "auc"]


def test_cut_points_come_from_the_sample(workers, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.random((270_000, 2)).astype(np.float32)
    data = Data(X, (X[:, 0] > rng.random(len(X))).astype(int), np.ones(len(X)))
    collections = data.collections(weighted=False)
    parameters = {"n_estimators": 2, "max_leaves": 8, "random_state": 0}
    trained = DaskGBT(**parameters).fit(*collections, client=workers)
    assert_same(trained, parameters, data, tmp_path)


def test_training_continues_from_a_model(workers, tmp_path):
    data = categories()
    X, y, _ = data.collections(weighted=False)
    first = GBT(2, random_state=0).fit(data.X, data.y)
    parameters = {"n_estimators": 3, "random_state": 5, "early_stopping_rounds": 2}
    sets = [(data.X[:300], data.y[:300])]
    trained = DaskGBT(**parameters).fit(X, y, client=workers, init_model=first, eval_set=sets)
    assert_same(trained, parameters, data, tmp_path, init_model=first, eval_set=sets)
    more = {"warm_start": True, "n_estimators": 6}
    trained.set_params(**more).fit(X, y, client=workers, eval_set=sets)
    local = GBT(**parameters).fit(data.X, data.y, init_model=first, eval_set=sets)
    local.set_params(**more).fit(data.X, data.y, eval_set=sets)
    assert file_bytes(trained, tmp_path) == file_bytes(local, tmp_path, "local")


def test_predictions_are_lazy(workers, tmp_path):
    data = categories()
    X, y, _ = data.collections(weighted=False)
    trained = DaskGBT(3, random_state=0).fit(X, y, client=workers)
    local = trained.to_local()
    assert type(local) is GBT
    classes, shares = trained.predict(X), trained.predict_proba(X)
    assert all(map(dask.is_dask_collection, (classes, shares)))
    assert classes.compute().tolist() == local.predict(data.X).tolist()
    assert list(shares.columns) == ["maybe", "no", "yes"]
    np.testing.assert_array_equal(shares.compute(), local.predict_proba(data.X))
    np.testing.assert_array_equal(trained.predict(data.X), local.predict(data.X))
    trained.save(tmp_path / "model")
    assert type(load(tmp_path / "model")) is GBT


def test_predictions_of_arrays(workers):
    data = numbers()
    X, y, _ = data.collections(weighted=False)
    trained = DaskGBT(3, random_state=0).fit(X, y, client=workers)
    local = trained.to_local()
    for method in ("predict", "predict_proba"):
        lazy = getattr(trained, method)(X)
        expected = getattr(local, method)(data.X)
        assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(lazy.compute(scheduler=workers), expected)


def test_callbacks_hear_every_round_and_may_stop(workers, capsys):
    data = numbers()
    X, y, _ = data.collections(weighted=False)
    heard = []

    def stop(record):
        heard.append(record)
        return len(heard) == 3

    trained = DaskGBT(9, random_state=0, callbacks=[stop], verbose=2).fit(X, y, client=workers)
    assert trained.n_iter_ == 3
    assert [record["iteration"] for record in heard] == [0, 1, 2]
    local = []
    GBT(3, random_state=0, callbacks=[local.append]).fit(data.X, data.y)
    for record, expected in zip(heard, local, strict=True):
        assert record["training"] == pytest.approx(expected["training"], rel=1e-6)
    assert "iteration 2: training logloss=" in capsys.readouterr().out


def test_what_a_callback_raises_ends_the_fit(workers):
    X, y, _ = numbers().collections(weighted=False)

    def refuse(record):
        raise ZeroDivisionError

    model = DaskGBT(3, random_state=0).fit(X, y, client=workers)
    before = dict(vars(model))
    model.callbacks = [refuse]
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y, client=workers)
    assert {name: vars(model)[name] for name in before if name != "callbacks"} == {
        name: value for name, value in before.items() if name != "callbacks"
    }


CHECKPOINTS = {
    "numbers": (numbers, {"n_estimators": 8, "subsample": 0.7}, {}),
    "auto": (numbers, {"n_estimators": "auto", "max_leaves": "auto"}, {}),
    "early stopping": (
        categories,
        {"n_estimators": 20, "early_stopping_rounds": 4, "eval_metric": ["error", "logloss"]},
        {},
    ),
    "evaluation set": (
        categories,
        {"n_estimators": 9, "multi_strategy": "multi_output_tree"},
        {"eval_set": [(categories(300, seed=5).X, categories(300, seed=5).y)]},
    ),
}


def stop_in_round_6(record):
    if record["iteration"] == 5:
        raise InterruptedError


def assert_same_checkpoint(path, parameters, data, *, every, **fit):
    """Compare a checkpoint with the one of a training in one process."""
    expected = path.with_name("local-checkpoint")
    GBT(**parameters, callbacks=[Checkpoint(expected, every, resume=False)]).fit(
        data.X, data.y, **fit
    )
    assert path.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("case", CHECKPOINTS)
@pytest.mark.parametrize("interrupted", ["cluster", "process"])
def test_training_resumes_from_a_checkpoint(workers, tmp_path, case, interrupted):
    make, parameters, fit = CHECKPOINTS[case]
    data, parameters = make(), {"random_state": 3, "learning_rate": 0.3, **parameters}
    X, y, _ = data.collections(weighted=False)
    checkpoint, heard = Checkpoint(tmp_path / "checkpoint", every=2), []
    stopped = {**parameters, "callbacks": [checkpoint, stop_in_round_6]}
    with pytest.raises(InterruptedError):
        if interrupted == "cluster":
            DaskGBT(**stopped).fit(X, y, client=workers, **fit)
        else:
            GBT(**stopped).fit(data.X, data.y, **fit)
    assert load(checkpoint.path).n_iter_ == 4
    resumed = DaskGBT(**parameters, callbacks=[checkpoint, heard.append])
    resumed.fit(X, y, client=workers, **fit)
    assert heard[0]["iteration"] == 4
    assert_same(resumed, parameters, data, tmp_path, **fit)
    assert_same_checkpoint(checkpoint.path, parameters, data, every=2, **fit)


def test_a_checkpoint_of_a_cluster_resumes_in_one_process(workers, tmp_path):
    data, parameters = categories(), {"n_estimators": 8, "random_state": 3}
    X, y, _ = data.collections(weighted=False)
    first = GBT(3, random_state=0).fit(data.X, data.y)
    checkpoint, heard = Checkpoint(tmp_path / "checkpoint", every=2), []
    stopped = DaskGBT(**parameters, callbacks=[checkpoint, stop_in_round_6])
    with pytest.raises(InterruptedError):
        stopped.fit(X, y, client=workers, init_model=first)
    assert not hasattr(stopped, "core_model_")
    resumed = GBT(**parameters, callbacks=[checkpoint, heard.append])
    resumed.fit(data.X, data.y, init_model=first)
    assert heard[0]["iteration"] == 4
    assert_same(resumed, parameters, data, tmp_path, init_model=first)


def test_a_checkpoint_of_other_rows_is_refused(workers, tmp_path):
    data, parameters = numbers(), {"n_estimators": 4, "random_state": 3}
    X, y, _ = data.collections(weighted=False)
    sets = [(data.X[:300], data.y[:300])]
    checkpoint = Checkpoint(tmp_path / "checkpoint", every=2)
    model = DaskGBT(**parameters, callbacks=[checkpoint])
    model.fit(X, y, client=workers, eval_set=sets)
    before, written = file_bytes(model, tmp_path), checkpoint.path.read_bytes()
    other = dataclasses.replace(data, y=np.where(np.arange(len(data.y)) < 9, 0, data.y))
    for rows, passed, message in [
        ((X * 2, y), sets, "the bins of the features differ"),
        ((X, other.collections(weighted=False)[1]), sets, "the shares of the classes differ"),
        ((X, y), [(data.X[:250], data.y[:250])], "resumes on other rows: evaluation set 0"),
        ((X, y), None, "with evaluation sets and metrics .* got {}"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(*rows, client=workers, eval_set=passed)
    with pytest.raises(ValueError, match="another seed than that of random_state=4"):
        DaskGBT(4, random_state=4, callbacks=[checkpoint]).fit(X, y, client=workers, eval_set=sets)
    assert file_bytes(model, tmp_path) == before
    assert checkpoint.path.read_bytes() == written


def test_what_cannot_be_trained_is_refused(workers):
    data = numbers()
    X, y, _ = data.collections(weighted=False)
    for parameters, message in [
        ({"objective": OF_ALL_ROWS}, r"objective must compute the derivatives of a row from this"),
        (
            {"boosting": "dart", "callbacks": [Checkpoint("file")]},
            "Checkpoint with boosting='dart'",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            DaskGBT(2, **parameters).fit(X, y, client=workers)
    with pytest.raises(ValueError, match=r"partition \d: base_margin must be of shape"):
        DaskGBT(2).fit(X, y, client=workers, base_margin=X)
    with pytest.raises(TypeError, match=r"X must be a Dask .* ndarray; .* use moodcore\.GBT"):
        DaskGBT(2).fit(data.X, y, client=workers)
    with pytest.raises(ValueError, match="y must have the 5 partitions of X, got 1"):
        DaskGBT(2).fit(X, da.from_array(data.y[:3], chunks=3), client=workers)


def test_partitions_must_hold_columns_of_one_kind(workers):
    frame = pd.DataFrame(
        {"a": np.arange(40.0), "b": pd.Series([1.5] * 20 + ["x"] * 20, dtype=object)}
    )
    with dask.config.set({"dataframe.convert-string": False}):
        X = dd.from_pandas(frame, npartitions=2)
    y = dd.from_pandas(pd.Series([0, 1] * 20), npartitions=2)
    with pytest.raises(ValueError, match=r"column 'b' must hold numbers or categories in all"):
        DaskGBT(2).fit(X, y, client=workers)


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_killed_worker_changes_no_bit(mortal_cluster, tmp_path):
    mortal_cluster.add_worker()
    mortal_cluster.wait_for_workers()
    data = numbers()
    X, y, _ = data.collections(weighted=False)
    killed = []

    def kill(record):
        if record["iteration"] == 4 and not killed:
            killed.append(mortal_cluster.workers[0])
            killed[0].kill()
            assert killed[0].wait(PATIENCE) == -signal.SIGKILL

    parameters = {"n_estimators": 12, "random_state": 0, "early_stopping_rounds": 5,
                  "subsample": 0.7}  # fmt: skip
    with mortal_cluster.client() as client:
        callbacks = [Checkpoint(tmp_path / "checkpoint", every=2), kill]
        trained = DaskGBT(**parameters, callbacks=callbacks).fit(X, y, client=client)
    assert killed
    assert_same(trained, parameters, data, tmp_path)
    assert_same_checkpoint(tmp_path / "checkpoint", parameters, data, every=2)


def test_a_lost_scheduler_is_an_error_that_names_the_checkpoint(mortal_cluster, tmp_path):
    X, y, _ = numbers().collections(weighted=False)

    def kill(record):
        if record["iteration"] == 2:
            mortal_cluster.scheduler.kill()
            mortal_cluster.scheduler.wait(PATIENCE)

    checkpoint = Checkpoint(tmp_path / "checkpoint", every=2)
    with mortal_cluster.client() as client:
        model = DaskGBT(500, random_state=0, callbacks=[checkpoint, kill])
        with pytest.raises(ConnectionError, match=r"the Dask scheduler .* the checkpoint .*point"):
            model.fit(X, y, client=client)
    assert not hasattr(model, "core_model_")
    assert load(checkpoint.path).n_iter_ == 2
