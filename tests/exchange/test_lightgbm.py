"""Models that LightGBM trained predict the same here."""

import numpy as np
import pandas as pd
import pytest

from moodcore import exchange, load

lightgbm = pytest.importorskip("lightgbm")
COMMON = {"verbose": -1, "num_threads": 1, "num_leaves": 40, "max_bin": 1000, "seed": 0}


def train(X, y, rounds=15, categorical=(), **params):
    data = lightgbm.Dataset(X, y, categorical_feature=list(categorical))
    return lightgbm.train(COMMON | {"min_data_in_bin": 1} | params, data, rounds)


def loaded(booster, folder, **options):
    booster.save_model(folder / "model.txt")
    return exchange.load(folder / "model.txt", **options)


def both(booster, ours, X):
    """LightGBM's probabilities and ours, of all classes."""
    theirs = booster.predict(X)
    theirs = theirs if theirs.ndim == 2 else np.stack([1 - theirs, theirs], axis=1)
    return theirs, ours.predict_proba(X)


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "binary"},
        {"objective": "multiclass", "num_class": 3},
        {"objective": "binary", "use_missing": False},
        {"objective": "multiclass", "num_class": 3, "zero_as_missing": True},
        {"objective": "binary", "sigmoid": 0.7},
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "multiclass", "num_class": 3, "boosting": "dart"},
    ],
    ids=str,
)
def test_what_lightgbm_trained_predicts_the_same(params, table, tmp_path):
    X, y, new = table
    X, new = X.copy(), new.copy()
    for rows in (X, new):
        rows[::4, 2] = 0.0
    y = np.minimum(y, 1) if params["objective"] == "binary" else y
    booster = train(X, y, **params)
    ours = loaded(booster, tmp_path)
    theirs, found = both(booster, ours, new)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)
    assert ours.n_features_in_ == 4
    assert not hasattr(ours, "feature_names_in_")
    if params.get("boosting") != "rf" and "sigmoid" not in params:
        told = booster.predict(new[:50], pred_contrib=True)
        found = ours.predict_contributions(new[:50])
        np.testing.assert_allclose(found, told.reshape(found.shape), rtol=0, atol=1e-9)


def test_categories_by_number(table, tmp_path):
    X, y, _ = table
    rng = np.random.default_rng(0)
    X = X.astype(np.float64)
    X[:, 3] = rng.integers(0, 70, len(X))
    y = np.where(X[:, 3] % 5 == 1, 2 - y, y)
    booster = train(X, y, objective="multiclass", num_class=3, categorical=[3])
    ours = loaded(booster, tmp_path, classes=["a", "b", "c"])
    assert ours.trees_to_dataframe()["Category"].notna().any()
    new = X.copy()
    new[:, 3] = rng.integers(-2, 90, len(X))
    new[::9, 3] = np.nan
    theirs, found = both(booster, ours, new)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)
    assert ours.predict(new).tolist() == np.array(["a", "b", "c"])[theirs.argmax(axis=1)].tolist()
    ours.save(tmp_path / "own")
    assert (load(tmp_path / "own").predict_proba(new) == found).all()


def test_names_of_columns_come_along(table, tmp_path):
    X, y, _ = table
    frame = pd.DataFrame(X, columns=["energy", "tempo", "valence", "key"])
    ours = loaded(train(frame, y > 0, objective="binary"), tmp_path)
    assert list(ours.feature_names_in_) == list(frame)
    assert set(ours.trees_to_dataframe()["Feature"]) <= {*frame, "Leaf"}


def test_trees_of_one_leaf(tmp_path):
    X, y = np.zeros((50, 2)), np.arange(50) % 2
    booster = train(X, y, objective="binary", rounds=3)
    theirs, found = both(booster, loaded(booster, tmp_path), X[:3])
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)


def test_what_is_no_classifier_is_refused(table, tmp_path):
    X, y, _ = table
    for params, told in (
        ({"objective": "regression"}, r"objective must be binary .*got 'regression'"),
        ({"objective": "multiclassova", "num_class": 3}, "got 'multiclassova num_class:3"),
        ({"objective": "binary", "linear_tree": True}, "linear_tree"),
    ):
        labels = np.minimum(y, 1) if params["objective"] == "binary" else y
        with pytest.raises(ValueError, match=told):
            loaded(train(X, labels, rounds=2, **params), tmp_path)


def test_categories_of_pandas_are_refused(mixed_table, tmp_path):
    X, y, _ = mixed_table
    codes = np.unique(y, return_inverse=True)[1]
    booster = lightgbm.train(COMMON | {"objective": "multiclass", "num_class": 5},
                             lightgbm.Dataset(X[["mood", "energy"]], codes), 2)  # fmt: skip
    with pytest.raises(ValueError, match="categories of pandas"):
        loaded(booster, tmp_path)
