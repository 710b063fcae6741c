"""Models that LightGBM trained predict the same here."""

import numpy as np
import pandas as pd
import pytest
from model_kinds import compiled

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
        expected = booster.predict(new[:50], pred_contrib=True)
        found = ours.predict_contributions(new[:50])
        np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-9)


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


OPTIONS = [
    {},
    {"zero_as_missing": True},
    {"use_missing": False},
    {"zero_as_missing": True, "max_bin": 15},
    {"max_cat_to_onehot": 100},
    {"zero_as_missing": True, "max_cat_to_onehot": 100},
    {"min_data_per_group": 1, "cat_smooth": 0, "cat_l2": 0},
    {"boosting": "dart"},
    {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    {"extra_trees": True, "path_smooth": 1.0},
    {"monotone_constraints": [1, -1, 0, 0, 0], "boost_from_average": False},
    {"data_sample_strategy": "goss", "use_quantized_grad": True},
]


def odd_table(seed, n_rows):
    """Numbers with zeros and gaps; columns 2 and 3 are categories by number."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5))
    X[:, 2], X[:, 3] = rng.integers(0, 12, n_rows), rng.integers(0, 70, n_rows)
    X[rng.random(n_rows) < 0.3, 0] = 0
    X[rng.random(n_rows) < 0.15, 1] = np.nan
    X[rng.random(n_rows) < 0.1, 2] = np.nan
    return X


@pytest.fixture(scope="module")
def odd_rows():
    """Rows to train on, their labels, and rows with values at the edges of LightGBM's rules."""
    X = odd_table(0, 1_500)
    whole = np.nan_to_num(X)
    y = (whole[:, 0] > 0) + (whole[:, 1] > 0) * (whole[:, 2] % 3 == 1) + (whole[:, 3] % 5 == 2)
    new = odd_table(1, 2_000)
    zero = float(np.float32(1e-35))
    sizes = [0, 1e-40, 1e-35, zero, np.nextafter(zero, 1), 1.1e-35]
    numbers = [*sizes, *np.negative(sizes), np.inf, -np.inf, np.nan]
    codes = [-1, -0.5, 0.5, 2.7, 69.99, 70, 1e10, -1e10, 3e9, np.inf, -np.inf, np.nan, 0, -0.0]
    for column, step, values in ((0, 5, numbers), (3, 3, codes), (2, 7, codes[:7])):
        new[::step, column] = np.resize(values, len(new[::step]))
    return X, np.minimum(y, 2), new


@pytest.mark.parametrize("categorical", [(), (2, 3)], ids=["numbers", "categories"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_zeros_and_category_codes_are_read_as_lightgbm_reads_them(
    options, categorical, odd_rows, tmp_path
):
    if categorical and "monotone_constraints" in options:
        options = {name: value for name, value in options.items() if "monotone" not in name}
    X, y, new = odd_rows
    for params in ({"objective": "binary"}, {"objective": "multiclass", "num_class": 3}):
        labels = np.minimum(y, 1) if params["objective"] == "binary" else y
        booster = train(X, labels, rounds=8, categorical=categorical, **params, **options)
        ours = loaded(booster, tmp_path)
        for rows in (new, new.astype(np.float32)):
            theirs, found = both(booster, ours, rows)
            np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)
        one_by_one = [ours.predict_proba_row(row) for row in new[:300].tolist()]
        np.testing.assert_array_equal(one_by_one, ours.predict_proba(new[:300]))


@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_rules_of_lightgbm_survive_saving_and_exporting(zero_as_missing, odd_rows, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    X, y, new = odd_rows
    booster = train(X, y, rounds=8, categorical=(2, 3), objective="multiclass", num_class=3,
                    zero_as_missing=zero_as_missing)  # fmt: skip
    ours = loaded(booster, tmp_path)
    expected = booster.predict(new)
    ours.save(tmp_path / "own")
    again = load(tmp_path / "own")
    assert (again.predict_proba(new) == ours.predict_proba(new)).all()
    exchange.export(again, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    np.testing.assert_allclose(session.run(None, {"X": new})[1], expected, rtol=0, atol=1e-12)
    for language in ("c", "rs"):
        _, scores = compiled(again, tmp_path, language)(new, 3)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)


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
    for params, expected in (
        ({"objective": "regression"}, r"objective must be binary .*got 'regression'"),
        ({"objective": "multiclassova", "num_class": 3}, "got 'multiclassova num_class:3"),
        ({"objective": "binary", "linear_tree": True}, "linear_tree"),
    ):
        labels = np.minimum(y, 1) if params["objective"] == "binary" else y
        with pytest.raises(ValueError, match=expected):
            loaded(train(X, labels, rounds=2, **params), tmp_path)


def test_categories_of_pandas_are_refused(mixed_table, tmp_path):
    X, y, _ = mixed_table
    codes = np.unique(y, return_inverse=True)[1]
    booster = lightgbm.train(COMMON | {"objective": "multiclass", "num_class": 5},
                             lightgbm.Dataset(X[["mood", "energy"]], codes), 2)  # fmt: skip
    with pytest.raises(ValueError, match="categories of pandas"):
        loaded(booster, tmp_path)
