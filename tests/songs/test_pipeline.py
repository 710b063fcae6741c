"""The way of a song through the experiment, and that nothing leaks on it."""

import pickle
from dataclasses import is_dataclass

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import moodcore
from moodcore import MLP, LinearSVM, songs
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, downsample

FEATURES = list(songs.FEATURES)
SELECTED = list(songs.SELECTED_FEATURES)
CHOICES = {
    "published": "published",
    "all": "all",
    "names": ["tempo", "energy", "valence"],
    "filter": CorrelationFilter(0.7),
}


class Keeper(ClassifierMixin, BaseEstimator):
    """A classifier that keeps the rows it is fitted on and counts those it predicts."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.X_, self.y_ = np.array(X), np.array(y)
        self.asked_ = 0
        return self

    def predict(self, X):
        self.asked_ += len(X)
        return np.full(len(X), self.classes_[0])


@pytest.fixture(scope="module")
def some():
    """800 songs."""
    return songs.synthesize(800, random_state=3)


@pytest.fixture(scope="module")
def parts(some):
    """Training and evaluation rows, a quarter of them the latter."""
    X, y = some
    train, test = next(iter(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y)))
    return X.iloc[train], y.iloc[train], X.iloc[test], y.iloc[test]


def fitted_values(model, found=None, path=""):
    """Every fitted attribute of a pipeline and the parts in it, by its path."""
    found = {} if found is None else found
    for name, value in vars(model).items():
        if hasattr(value, "fit"):
            fitted_values(value, found, f"{path}{name}.")
        elif name == "steps":
            for step, part in value:
                fitted_values(part, found, f"{path}{step}.")
        elif name == "core_model_":
            found[path + name] = pickle.dumps(value)
        elif name.endswith("_"):
            found[path + name] = value
    return found


def assert_same_fit(first, second):
    """The fitted attributes of two pipelines are equal to the bit."""
    ours, theirs = fitted_values(first), fitted_values(second)
    assert len(ours) > 10
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        np.testing.assert_equal(vars_of(value), vars_of(theirs[path]), err_msg=path)


def vars_of(value):
    return vars(value) if is_dataclass(value) or hasattr(value, "counts_before") else value


# The choice of features.


def test_seven_features_in_the_published_order(parts):
    X, y, *_ = parts
    model = songs.pipeline(Keeper()).fit(X, y)
    assert list(model.named_steps) == ["select", "minmax", "standardize", "classify"]
    assert model[0].get_feature_names_out().tolist() == SELECTED
    assert model["classify"].X_.shape == (len(X), 7)


def test_all_ten_features(parts):
    X, y, *_ = parts
    model = songs.pipeline(Keeper(), features="all").fit(X, y)
    assert model[0].get_feature_names_out().tolist() == FEATURES


@pytest.mark.parametrize("names", [["tempo", "energy"], ("valence",), [songs.DURATION, "energy"]])
def test_features_by_name(parts, names):
    X, y, *_ = parts
    model = songs.pipeline(Keeper(), features=names).fit(X, y)
    assert model[0].get_feature_names_out().tolist() == list(names)
    assert model["classify"].X_.shape == (len(X), len(names))


def test_features_by_correlation(parts):
    X, y, *_ = parts
    model = songs.pipeline(Keeper(), features=CorrelationFilter(0.7)).fit(X, y)
    alone = CorrelationFilter(0.7).fit(X[FEATURES], y)
    kept = model[0].get_feature_names_out().tolist()
    assert kept == alone.get_feature_names_out().tolist()
    assert 3 < len(kept) < 10
    assert model["classify"].X_.shape == (len(X), len(kept))
    assert {pair["column"] for pair in model[0]["filter"].dropped_} == set(FEATURES) - set(kept)


@pytest.mark.parametrize("features", ["publish", "", "energy"])
def test_unknown_choice_of_features(features):
    with pytest.raises(ValueError, match=f'must be "published", "all".* got {features!r}'):
        songs.pipeline(Keeper(), features=features)


def test_no_features():
    with pytest.raises(ValueError, match="at least one column, got none"):
        songs.pipeline(Keeper(), features=[])


def test_the_scales_are_min_max_and_then_standard(parts):
    X, y, *_ = parts
    seen = songs.pipeline(Keeper()).fit(X, y)["classify"].X_
    low, high = X[SELECTED].min(), X[SELECTED].max()
    unit = ((X[SELECTED] - low) / (high - low)).to_numpy()
    assert seen == pytest.approx((unit - unit.mean(axis=0)) / unit.std(axis=0), abs=1e-9)


# Columns.


@pytest.mark.parametrize("choice", CHOICES)
def test_columns_in_any_order(parts, choice):
    X, y, test, _ = parts
    model = songs.pipeline(MLP((4,), epochs=2, random_state=0), features=clone_of(choice))
    model.fit(X, y)
    turned = test[test.columns[::-1]].assign(title="a song")
    assert np.array_equal(model.predict_proba(turned), model.predict_proba(test))
    other = clone(model).fit(X[X.columns[::-1]], y)
    assert np.array_equal(other.predict_proba(test), model.predict_proba(test))


def clone_of(choice):
    features = CHOICES[choice]
    return clone(features) if isinstance(features, CorrelationFilter) else features


@pytest.mark.parametrize("choice", CHOICES)
def test_missing_columns_are_named(parts, choice):
    X, y, test, _ = parts
    model = songs.pipeline(Keeper(), features=clone_of(choice)).fit(X, y)
    lacking = test.drop(columns="valence").rename(columns={"energy": "energie"})
    for use in (model.predict, lambda table: clone(model).fit(table, y[: len(table)])):
        with pytest.raises(ValueError, match=r"^missing columns: ") as caught:
            use(lacking)
        assert "'energy' (there is 'energie')" in str(caught.value)
        assert "'valence'" in str(caught.value)
        assert "'tempo';" not in str(caught.value)


def test_columns_that_are_not_used_may_be_missing(parts):
    X, y, test, _ = parts
    model = songs.pipeline(MLP((4,), epochs=2, random_state=0)).fit(X, y)
    assert np.array_equal(model.predict_proba(test[SELECTED]), model.predict_proba(test))


# Label names, balance, the pipeline as an estimator.


def test_label_names(parts):
    assert songs.pipeline(Keeper()).label_names == songs.LABEL_NAMES
    swapped = ("happy", "sad", "energetic", "calm")
    model = songs.pipeline(Keeper(), label_names=swapped)
    assert clone(model).label_names == swapped
    assert model.get_params()["label_names"] == swapped
    assert isinstance(model, Pipeline)
    # A part of a pipeline keeps its kind, so that it can be saved like the whole.
    assert isinstance(model.fit(*parts[:2])[1:], songs.SongPipeline)


def test_balance_gives_each_class_the_same_rows(parts):
    X, y, *_ = parts
    model = songs.pipeline(Keeper(), balance=True, random_state=5).fit(X, y)
    kept = downsample(y, random_state=5).indices
    inner = model["classify"].estimator_
    assert np.bincount(inner.y_).tolist() == [y.value_counts().min()] * 4
    assert np.array_equal(inner.y_, y.to_numpy()[kept])
    plain = songs.pipeline(Keeper()).fit(X, y)["classify"]
    assert np.array_equal(inner.X_, plain.X_[kept])
    assert not np.array_equal(kept, downsample(y, random_state=6).indices)


def test_without_balance_every_row_is_used(parts):
    X, y, *_ = parts
    model = songs.pipeline(Keeper()).fit(X, y)
    assert not isinstance(model["classify"], BalancedClassifier)
    assert np.array_equal(model["classify"].y_, y)


def test_search_reaches_the_network_through_the_balance(some):
    model = songs.pipeline(MLP((4,), random_state=0), balance=True, random_state=0)
    search = GridSearchCV(model, {"classify__estimator__epochs": [1, 2]}, cv=2).fit(*some)
    assert isinstance(search.best_estimator_, songs.SongPipeline)
    assert search.best_estimator_["classify"].estimator_.n_iter_ in (1, 2)


def test_saves_itself(parts, tmp_path):
    X, y, test, _ = parts
    model = songs.pipeline(MLP((4,), epochs=2, random_state=0)).fit(X, y)
    model.save(tmp_path / "model.safetensors", provenance={"seed": 0})
    again = moodcore.load(tmp_path / "model.safetensors")
    assert again.provenance_ == {"seed": 0}
    assert np.array_equal(again.predict_proba(test), model.predict_proba(test))


# No leakage.


def assert_statistics_of(model, X, y):
    """Every statistic is that of these rows, computed here without the pipeline."""
    names = model[0].get_feature_names_out().tolist()
    table = X[names].to_numpy()
    low, high = table.min(axis=0), table.max(axis=0)
    assert np.array_equal(model["minmax"].data_min_, low)
    assert np.array_equal(model["minmax"].data_max_, high)
    unit = MinMaxScaler().fit(table).transform(table)
    assert unit == pytest.approx((table - low) / (high - low))
    assert model["standardize"].mean_ == pytest.approx(unit.mean(axis=0))
    assert model["standardize"].var_ == pytest.approx(unit.var(axis=0))
    assert model["minmax"].n_samples_seen_ == model["standardize"].n_samples_seen_ == len(X)
    assert np.array_equal(model["standardize"].mean_, StandardScaler().fit(unit).mean_)
    if hasattr(model[0], "named_steps"):
        alone = CorrelationFilter(0.7).fit(X[FEATURES], y)
        chosen = model[0]["filter"]
        assert chosen.correlation_ == pytest.approx(np.corrcoef(X[FEATURES].to_numpy().T))
        assert np.array_equal(chosen.relevance_, alone.relevance_)
        assert np.array_equal(chosen.support_, alone.support_)
        assert chosen.dropped_ == alone.dropped_


def assert_balanced_rows_of(model, y, seed):
    """Balancing drew from these labels alone."""
    drawn = model["classify"].downsampling_
    expected = downsample(y, random_state=seed)
    assert np.array_equal(drawn.indices, expected.indices)
    assert drawn.counts_before.tolist() == np.bincount(y).tolist()
    assert drawn.counts_after.tolist() == [np.bincount(y).min()] * 4


@pytest.mark.parametrize("choice", CHOICES)
def test_statistics_are_those_of_the_training_rows(parts, choice):
    X, y, test, _ = parts
    model = songs.pipeline(Keeper(), features=clone_of(choice), balance=True, random_state=1)
    model.fit(X, y)
    model.predict(test)
    assert_statistics_of(model, X, y)
    assert_balanced_rows_of(model, y, 1)


@pytest.mark.parametrize("choice", CHOICES)
def test_statistics_in_cross_validation_are_those_of_the_fold(some, choice):
    X, y = some
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))
    model = songs.pipeline(Keeper(), features=clone_of(choice), balance=True, random_state=2)
    found = cross_validate(model, X, y, cv=folds, return_estimator=True, error_score="raise")
    assert len(found["estimator"]) == 4
    for fitted, (train, _) in zip(found["estimator"], folds, strict=True):
        assert_statistics_of(fitted, X.iloc[train], y.iloc[train])
        assert_balanced_rows_of(fitted, y.iloc[train], 2)
    minima = {tuple(fitted["standardize"].mean_) for fitted in found["estimator"]}
    assert len(minima) == 4


def test_statistics_of_all_rows_are_told_apart(some):
    """The check above would fail if the scalers had seen the validation rows."""
    X, y = some
    train = np.arange(len(X)) % 4 > 0
    leaky = songs.pipeline(Keeper(), features=CorrelationFilter(0.7)).fit(X, y)
    with pytest.raises(AssertionError):
        assert_statistics_of(leaky, X[train], y[train])


@pytest.mark.parametrize("choice", CHOICES)
def test_evaluation_rows_change_no_fitted_attribute(some, choice):
    """Other songs and labels in the validation part leave the model of the fold as it is."""
    X, y = some
    folds = list(StratifiedKFold(3).split(X, y))[:1]
    test = folds[0][1]
    other, other_y = X.copy(), y.copy()
    other.iloc[test] = X.iloc[test] * 100.0 + 5.0
    other_y.iloc[test] = 3 - y.iloc[test]
    network = MLP((4,), epochs=2, random_state=0)
    model = songs.pipeline(network, features=clone_of(choice), balance=True, random_state=0)
    before, after = (
        cross_validate(model, table, labels, cv=folds, return_estimator=True)["estimator"][0]
        for table, labels in ((X, y), (other, other_y))
    )
    assert_same_fit(before, after)
    changed = X.copy()
    changed.iloc[folds[0][0][0]] += 1000.0
    leaked = cross_validate(model, changed, y, cv=folds, return_estimator=True)["estimator"][0]
    with pytest.raises(AssertionError):
        assert_same_fit(before, leaked)


def test_prediction_changes_no_fitted_attribute(parts):
    X, y, test, _ = parts
    network = MLP((4,), epochs=2, random_state=0)
    model = songs.pipeline(network, features=CorrelationFilter(0.7), balance=True, random_state=0)
    model.fit(X, y)
    other = clone(model).fit(X, y)
    model.predict(test * 0.5)
    model.predict_proba(test)
    assert_same_fit(model, other)


def test_rows_of_a_prediction_do_not_know_each_other(parts):
    X, y, test, _ = parts
    network = MLP((4,), epochs=2, random_state=0)
    model = songs.pipeline(network, balance=True, random_state=0).fit(X, y)
    together = model.predict_proba(pd.concat([test, test * 0.5]))[: len(test)]
    assert np.array_equal(together, model.predict_proba(test))
    assert np.array_equal(together[:1], model.predict_proba(test[:1]))


def test_balancing_never_touches_evaluation_rows(some):
    """Every validation row is predicted once; every row trained on is a training row."""
    X, y = some
    folds = list(StratifiedKFold(4).split(X, y))
    model = songs.pipeline(Keeper(), balance=True, random_state=0)
    found = cross_validate(model, X, y, cv=folds, return_estimator=True, error_score="raise")
    for fitted, score, (train, test) in zip(
        found["estimator"], found["test_score"], folds, strict=True
    ):
        inner = fitted["classify"].estimator_
        assert inner.asked_ == len(test)
        # The keeper calls every song sad: its score is the natural share of sad songs.
        assert score == np.mean(y.iloc[test] == 0)
        scaled = fitted[:-1].transform(X.iloc[train])
        rows = train[fitted["classify"].downsampling_.indices]
        assert not set(rows) & set(test)
        assert np.array_equal(inner.X_, scaled[fitted["classify"].downsampling_.indices])
        assert np.array_equal(inner.y_, y.to_numpy()[rows])


def test_tables_of_every_library_give_the_same_pipeline():
    X, y = songs.synthesize(200, random_state=0)
    expected = songs.pipeline(LinearSVM()).fit(X, y)
    arrow = pa.Table.from_pandas(X)
    for build in (lambda: pl.from_pandas(X), lambda: arrow, arrow.to_reader):
        model = songs.pipeline(LinearSVM()).fit(build(), y)
        assert np.array_equal(model.decision_function(build()), expected.decision_function(X))
        assert np.array_equal(model.training_quantiles_, expected.training_quantiles_)
        balanced = songs.pipeline(LinearSVM(), balance=True, random_state=0).fit(build(), y)
        assert balanced.predict(build()).shape == (200,)
