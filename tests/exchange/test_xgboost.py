"""XGBoost reads what we write, and we read what XGBoost trained."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model_kinds import song_model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import GBT, exchange, load
from moodcore.exchange import xgboost_ubjson
from moodcore.exchange.thresholds import at_most_of, below_of, largest_at_most

xgboost = pytest.importorskip("xgboost")
ENDINGS = ["json", "ubj"]
SINGLE = st.floats(width=32, allow_nan=False)
# Trees whose bins are too many for one byte.
LARGE = {"n_estimators": 25, "max_depth": 7, "max_bin": 2048, "n_jobs": 1, "random_state": 0}


def train(X, y, **options):
    return xgboost.XGBClassifier(**(LARGE | options)).fit(X, y)


def saved(model, folder, ending):
    path = folder / f"model.{ending}"
    model.save_model(path)
    return path


def booster_of(model, folder, ending, **options):
    path = folder / f"written.{ending}"
    exchange.export(model, path, **options)
    return xgboost.Booster(model_file=path)


def predict(booster, X):
    """XGBoost's probabilities of all classes."""
    if booster.num_boosted_rounds() and "multi:softmax" in booster.save_config():
        booster.set_param({"objective": "multi:softprob"})
    found = booster.predict(xgboost.DMatrix(X))
    return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"booster": "dart", "rate_drop": 0.3},
        {"num_parallel_tree": 3, "subsample": 0.6, "n_estimators": 12},
        {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
        {"objective": "multi:softmax"},
        {"base_score": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_xgboost_trained_predicts_the_same(options, n_classes, table, tmp_path):
    X, y, new = table
    if n_classes == 2:
        options = {k: v for k, v in options.items() if k not in ("multi_strategy", "objective")}
    theirs = train(X, np.minimum(y, n_classes - 1), **options)
    ours = exchange.load(saved(theirs, tmp_path, "json"))
    single = new.astype(np.float32)
    for rows in (new, single):
        # Also double precision, which XGBoost rounds to single.
        np.testing.assert_allclose(ours.predict_proba(rows), predict(theirs.get_booster(), rows),
                                   rtol=0, atol=1e-6)  # fmt: skip
    assert (ours.predict(new) == ours.classes_[predict(theirs.get_booster(), new).argmax(1)]).all()


def test_a_feature_may_have_more_thresholds_than_a_byte_counts(table, tmp_path):
    X, y, _ = table
    path = saved(train(X, y), tmp_path, "json")
    ours = exchange.load(path)
    columns = ours.core_model_.arrays()["bin_column"]
    assert (np.bincount(columns) > 1).any()
    assert ours.n_features_in_ == 4
    theirs = xgboost.Booster(model_file=path)
    rows = X[:200]
    expected = theirs.predict(xgboost.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(ours.predict_contributions(rows), expected, rtol=0, atol=1e-4)
    for kind in ("weight", "total_gain", "cover"):
        expected_values = theirs.get_score(importance_type=kind)
        np.testing.assert_allclose(
            ours.importances(kind), list(expected_values.values()), rtol=1e-4
        )
    frame, expected_values = ours.trees_to_dataframe(), theirs.trees_to_dataframe()
    assert (frame["Feature"] == "Leaf").sum() == (expected_values["Feature"] == "Leaf").sum()
    np.testing.assert_array_equal(ours.predict_proba_row(rows[0]), ours.predict_proba(rows[:1])[0])
    leaves = ours.apply(rows)
    assert len(np.unique(leaves[:, 0])) == len(np.unique(theirs.predict(
        xgboost.DMatrix(rows), pred_leaf=True)[:, 0]))  # fmt: skip
    ours.save(tmp_path / "own")
    again = load(tmp_path / "own")
    copied = pickle.loads(pickle.dumps(ours))
    for other in (again, copied, ours[:100]):
        assert (other.predict_proba(rows) == ours.predict_proba(rows)).all()
    with pytest.raises(ValueError, match="more than 254 thresholds"):
        GBT(1).fit(rows, y[:200], init_model=ours)


def test_a_loaded_model_trains_on_at_its_thresholds(table, tmp_path):
    X, y, new = table
    ours = exchange.load(saved(train(X, y, n_estimators=3, max_depth=2), tmp_path, "ubj"))
    further = GBT(2, random_state=0).fit(X, y, init_model=ours)
    assert further.n_iter_ == 5
    assert (further[:3].predict_proba(new) == ours.predict_proba(new)).all()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_xgboost_predicts_the_same_from_what_we_write(ending, strategy, n_classes, table, tmp_path):
    X, y, new = table
    ours = GBT(30, random_state=0, multi_strategy=strategy).fit(X, np.minimum(y, n_classes - 1))
    rows = new.astype(np.float32)
    theirs = booster_of(ours, tmp_path, ending, dtype="float32")
    np.testing.assert_allclose(predict(theirs, rows), ours.predict_proba(rows), rtol=0, atol=1e-6)
    wrapped = xgboost.XGBClassifier()
    wrapped.load_model(tmp_path / f"written.{ending}")
    assert (wrapped.predict(rows) == ours.predict(rows)).all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_and_back_keeps_labels_names_and_predictions(ending, song_rows, tmp_path):
    X, y, new = song_rows
    names = np.array(["sad", "happy", "energetic", "calm"])
    model = GBT(10, random_state=0, early_stopping_rounds=3).fit(X, names[y])
    exchange.export(model, tmp_path / f"model.{ending}", dtype="float32")
    again = exchange.load(tmp_path / f"model.{ending}")
    assert again.classes_.tolist() == model.classes_.tolist()
    assert list(again.feature_names_in_) == list(X.columns)
    rows = new.astype(np.float32)
    np.testing.assert_allclose(again.predict_proba(rows), model.predict_proba(rows), atol=1e-6)
    assert again.n_iter_ == model.best_iteration_ + 1
    assert again.provenance_["format"].startswith("xgboost")


def test_early_stopping_of_xgboost_is_kept(table, tmp_path):
    X, y, new = table
    theirs = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=2, n_jobs=1,
                                   learning_rate=1.0)  # fmt: skip
    theirs.fit(X, y, eval_set=[(X[::2], 2 - y[::2])], verbose=False)
    ours = exchange.load(saved(theirs, tmp_path, "json"))
    assert ours.best_iteration_ == theirs.best_iteration < ours.n_iter_ - 1
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_classes", [4, 2])
def test_scaling_goes_into_the_thresholds(n_classes, dtype, song_rows, tmp_path):
    model = song_model("trees", song_rows, n_classes)
    new = song_rows[2][list(model.feature_names_in_)].astype(dtype)
    theirs = booster_of(model, tmp_path, "json", dtype=dtype)
    expected = model.predict_proba(new.astype(np.float64))
    # Songs have few decimals, and many lie on a threshold.
    np.testing.assert_allclose(predict(theirs, new), expected, rtol=0, atol=1e-6)
    alone = exchange.load(tmp_path / "written.json")
    assert (alone.predict(new) == model.predict(new.astype(np.float64))).all()


def test_the_classifier_alone_takes_scaled_rows(song_rows, tmp_path):
    model = song_model("trees", song_rows)
    new = song_rows[2][list(model.feature_names_in_)]
    scaled = model[:-1].transform(new).astype(np.float32)
    theirs = booster_of(model, tmp_path, "ubj", classifier_only=True, dtype="float32")
    expected = model[-1].estimator_.predict_proba(scaled)
    np.testing.assert_allclose(predict(theirs, scaled), expected, rtol=0, atol=1e-6)


def test_categories_are_refused_both_ways(mixed_table, tmp_path):
    X, y, _ = mixed_table
    with pytest.raises(ValueError, match="'mood' is split by category"):
        exchange.export(GBT(3).fit(X[["mood"]], y), tmp_path / "model.json")
    codes = np.unique(y, return_inverse=True)[1]
    theirs = train(X, codes, n_estimators=2, enable_categorical=True)
    with pytest.raises(ValueError, match="splits by category"):
        exchange.load(saved(theirs, tmp_path, "json"))


def test_what_is_no_classifier_of_trees_is_refused(table, tmp_path):
    X, y, _ = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = train(np.nan_to_num(X), y, booster="gblinear", n_estimators=1)
    with pytest.raises(ValueError, match="must be gbtree or dart, got 'gblinear'"):
        exchange.load(saved(linear, tmp_path, "json"))
    regression = xgboost.XGBRegressor(n_estimators=1).fit(X, y)
    with pytest.raises(ValueError, match=r"objective must be one of .*got 'reg:squarederror'"):
        exchange.load(saved(regression, tmp_path, "json"))


@example(below=-float(np.finfo(np.float32).max), x=0.0, near=True)
@given(below=SINGLE.filter(lambda x: x > -np.inf), x=st.floats(allow_nan=False), near=st.booleans())
@settings(max_examples=150, deadline=None)
def test_at_most_says_what_below_says(below, x, near):
    """For any number of double precision, rounded to single."""
    cut = at_most_of(below)
    values = [cut, np.nextafter(cut, np.inf)] if near else [x]
    with np.errstate(over="ignore"):
        for value in values:
            assert (value <= cut) == (np.float32(value) < np.float32(below))


@given(threshold=st.floats(allow_nan=False), x=SINGLE)
@settings(max_examples=150, deadline=None)
def test_below_says_what_at_most_says(threshold, x):
    below = below_of(threshold)
    with np.errstate(over="ignore"):
        values = [x, float(below), float(np.nextafter(below, np.float32(-np.inf)))]
    for value in values:
        if np.isfinite(value):
            assert (np.float32(value) < below) == (value <= threshold)


@given(
    digits=st.integers(-999_999, 999_999),
    power=st.integers(-9, 3),
    away=st.sampled_from([-1, 0, 1]),
)
@settings(max_examples=150, deadline=None)
def test_numbers_of_few_digits_go_the_right_way_in_double_precision(digits, power, away):
    x = float(f"{digits}e{power}")
    threshold = x if away == 0 else np.nextafter(x, away * np.inf)
    below = below_of(threshold, dtype="float64")
    assert (np.float32(x) < below) == (x <= threshold)


@given(
    limit=st.floats(allow_nan=False, allow_infinity=False),
    multiply=st.floats(1e-6, 1e6),
    add=st.floats(-1e6, 1e6),
)
@settings(max_examples=200, deadline=None)
def test_the_largest_number_that_passes_is_found(limit, multiply, add):
    def scale(x):
        return (x * multiply + add) / 3.0

    with np.errstate(over="ignore"):
        found = largest_at_most(scale, np.array([limit]))
        assert np.isneginf(found[0]) or scale(found[0]) <= limit
        assert found[0] == np.inf or scale(np.nextafter(found[0], np.inf)) > limit


def test_ubjson_is_read_as_the_same_model_in_json(table, tmp_path):
    X, y, new = table
    trained = train(X, y, n_estimators=2)
    json_model, ubjson_model = (
        exchange.load(saved(trained, tmp_path, ending)) for ending in ENDINGS
    )
    np.testing.assert_array_equal(json_model.predict_proba(new), ubjson_model.predict_proba(new))
    assert ubjson_model.provenance_["format"] == "xgboost-ubjson"


def test_without_xgboost_ubjson_is_refused_and_json_is_not(table, tmp_path, monkeypatch):
    X, y, _ = table
    model = GBT(2, random_state=0).fit(X, y)
    exchange.export(model, tmp_path / "model.ubj")
    monkeypatch.setattr(xgboost_ubjson, "find_spec", lambda name: None)
    for act in (exchange.load, lambda path: exchange.export(model, path)):
        with pytest.raises(ModuleNotFoundError, match=r"pip install xgboost, or use \.json"):
            act(tmp_path / "model.ubj")
    exchange.export(model, tmp_path / "model.json")
    assert exchange.load(tmp_path / "model.json").n_iter_ == 2


def test_labels_may_be_called_infinity(table, tmp_path):
    X, y, _ = table
    model = GBT(2, random_state=0).fit(X, np.array(["Infinity", "a", "b"])[y])
    exchange.export(model, tmp_path / "model.json")
    assert exchange.load(tmp_path / "model.json").classes_.tolist() == ["Infinity", "a", "b"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_feature_names_of_any_language(ending, table, tmp_path):
    import pandas as pd

    X, y, _ = table
    names = ["\u00e9nergie", "\u66f2 \U0001f3b5", 'a"b\\c', "\t\n\r,\x7f"]
    frame = pd.DataFrame(X, columns=names)
    labels = np.array(["caf\u00e9", "th\u00e9", "\U0001f375"])[y]
    model = GBT(3, random_state=0).fit(frame, labels)
    theirs = booster_of(model, tmp_path, ending, dtype="float32")
    assert theirs.feature_names == names
    expected = theirs.predict(xgboost.DMatrix(frame))
    np.testing.assert_allclose(expected, model.predict_proba(frame), rtol=0, atol=1e-6)
    theirs.save_model(tmp_path / f"again.{ending}")
    again = exchange.load(tmp_path / f"again.{ending}")
    assert list(again.feature_names_in_) == names
    assert again.classes_.tolist() == model.classes_.tolist()


@pytest.mark.parametrize("name", ["a[0]", "a<b", "a\b", "a\x1f"])
def test_feature_names_that_xgboost_does_not_take_are_refused(name, table, tmp_path):
    import pandas as pd

    X, y, _ = table
    model = GBT(2).fit(pd.DataFrame(X[:, :2], columns=[name, "b"]), y)
    with pytest.raises(ValueError, match=r"feature names with '\[', '\]', '<', control"):
        exchange.export(model, tmp_path / "model.json")


def seconds(span, n_rows=3_000):
    """A column of unix seconds over a span, and labels that alternate 30 times in it."""
    time = 1.7e9 + np.floor(np.random.default_rng(0).uniform(0, span, n_rows))
    return time[:, np.newaxis], (time // (span / 30) % 2).astype(int)


@pytest.mark.parametrize("days", [0.01, 1, 30])
def test_splits_that_single_precision_loses_are_refused(days, tmp_path):
    X, y = seconds(86_400 * days)
    model = GBT(30, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    message = r"column 'x0': .* single precision, .* are 128 apart, .*dtype='float32'"
    for ending in ENDINGS:
        with pytest.raises(ValueError, match=message):
            exchange.export(model, tmp_path / f"model.{ending}")
    # Rows that are of single precision already go the same ways.
    rows = X.astype(np.float32)
    theirs = booster_of(model, tmp_path, "json", dtype="float32")
    np.testing.assert_allclose(predict(theirs, rows), model.predict_proba(rows), atol=1e-6)
    # A column that begins at zero loses nothing.
    model = GBT(30, random_state=0).fit(X - 1.7e9, y)
    theirs = booster_of(model, tmp_path, "json")
    expected = model.predict_proba(X - 1.7e9)
    np.testing.assert_allclose(predict(theirs, X - 1.7e9), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("first", [0, 1_000_000, 2**24 - 201])
@pytest.mark.parametrize("unit", [1, 1e-6])
def test_values_of_few_digits_are_written_exactly(unit, first, tmp_path):
    whole = first + np.random.default_rng(0).integers(0, 200, 3_000)
    if unit < 1:
        # Six digits.
        whole = 300_000 + whole - first
    X, y = whole[:, np.newaxis] * unit, whole % 2
    model = GBT(60, random_state=0).fit(X, y)
    theirs = booster_of(model, tmp_path, "json")
    np.testing.assert_allclose(predict(theirs, X), model.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("missing", [-999.0, 0.0])
def test_a_missing_value_is_passed_when_loading(missing, table, tmp_path):
    X, y, _ = table
    X = X.copy()
    X[::3, 0] = X[::4, 2] = missing
    theirs = train(X, y, missing=missing)
    path = saved(theirs, tmp_path, "json")
    ours = exchange.load(path, missing=missing)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-6)
    assert np.abs(exchange.load(path).predict_proba(X) - theirs.predict_proba(X)).max() > 0.1
    with pytest.warns(UserWarning, match=rf"does not store missing={missing:g}: pass it to"):
        exchange.export(ours, tmp_path / "again.json")
    again = exchange.load(tmp_path / "again.json")
    np.testing.assert_allclose(again.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-7)
    ours.save(tmp_path / "own")
    np.testing.assert_array_equal(load(tmp_path / "own").predict_proba(X), ours.predict_proba(X))


def test_a_missing_value_behind_a_scaler_is_refused(table, tmp_path):
    X, y, _ = table
    model = make_pipeline(StandardScaler(), GBT(2, missing=0.0)).fit(X, y)
    with pytest.raises(ValueError, match="missing=0 of trees behind a scaler"):
        exchange.export(model, tmp_path / "model.json")


XGBOOST_OPTIONS = [
    {"max_bin": 16, "grow_policy": "lossguide", "max_leaves": 12},
    {"tree_method": "exact", "max_depth": 4},
    {"tree_method": "approx"},
    {"monotone_constraints": (1, -1, 0, 0)},
    {"gamma": 1.0, "min_child_weight": 5, "reg_alpha": 1.0},
    {"colsample_bynode": 0.5, "subsample": 0.5, "max_delta_step": 0.7},
    {"sampling_method": "uniform", "booster": "dart", "normalize_type": "forest", "skip_drop": 0.2},
    {"max_depth": 0, "max_leaves": 5, "grow_policy": "lossguide"},
    {"n_estimators": 3, "learning_rate": 1e-3},
]


@pytest.mark.parametrize("options", XGBOOST_OPTIONS, ids=str)
def test_models_of_many_options_predict_the_same(options, table, tmp_path):
    X, y, new = table
    for n_classes in (2, 3):
        theirs = train(X, np.minimum(y, n_classes - 1), **({"n_estimators": 8} | options))
        ours = exchange.load(saved(theirs, tmp_path, "json"))
        expected = predict(theirs.get_booster(), new)
        np.testing.assert_allclose(ours.predict_proba(new), expected, rtol=0, atol=1e-6)
