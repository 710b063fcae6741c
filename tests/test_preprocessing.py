"""Balancing, choice of columns, correlation filter."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import GBT, MLP, songs
from moodcore.preprocessing import (
    BalancedClassifier,
    CorrelationFilter,
    SelectColumns,
    downsample,
)

# Two rows are not one row of twice the weight where rows are drawn.
_DRAWN = {
    "check_sample_weight_equivalence_on_dense_data": "rows are drawn",
    "check_sample_weight_equivalence_on_sparse_data": "rows are drawn",
}


@parametrize_with_checks(
    [
        SelectColumns(),
        CorrelationFilter(),
        BalancedClassifier(LogisticRegression(), random_state=0),
        BalancedClassifier(DecisionTreeClassifier(), random_state=0),
        BalancedClassifier(MLP(epochs=5)),
        BalancedClassifier(GBT(5)),
    ],
    expected_failed_checks=lambda model: _DRAWN if isinstance(model, BalancedClassifier) else {},
)
def test_conventions(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def unbalanced():
    return make_classification(600, 5, weights=[0.7], n_informative=3, random_state=0)


def test_downsample_keeps_as_many_of_each_class():
    y = np.repeat(["c", "a", "b"], [9, 5, 3])
    kept = downsample(y, random_state=3)
    assert kept.classes.tolist() == ["a", "b", "c"]
    assert kept.counts_before.tolist() == [5, 3, 9]
    assert kept.counts_after.tolist() == [3, 3, 3]
    assert np.unique(y[kept.indices], return_counts=True)[1].tolist() == [3, 3, 3]
    assert (np.diff(kept.indices) > 0).all()


def test_downsample_is_seeded():
    y = np.repeat([0, 1], [500, 50])
    first, again, other = (downsample(y, random_state=seed).indices for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_downsample_draws_every_row_alike():
    y = np.repeat([0, 1], [20, 5])
    drawn = np.zeros(len(y))
    random = np.random.RandomState(0)
    for _ in range(2000):
        drawn[downsample(y, random_state=random).indices] += 1
    # 500 expected of 2000 draws; five standard deviations are 97.
    assert np.abs(drawn[:20] - 500).max() < 97
    assert (drawn[20:] == 2000).all()


def test_downsample_needs_rows():
    with pytest.raises(ValueError, match="at least one row"):
        downsample([])


def test_balanced_is_the_classifier_on_the_rows_kept(unbalanced):
    X, y = unbalanced
    model = BalancedClassifier(LogisticRegression(), random_state=0).fit(X, y)
    kept = model.downsampling_.indices
    plain = LogisticRegression().fit(X[kept], y[kept])
    assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert np.array_equal(model.decision_function(X), plain.decision_function(X))
    assert model.score(X, y) == plain.score(X, y)


def test_balanced_cuts_weights_to_the_rows_kept(unbalanced):
    X, y = unbalanced
    weights = np.random.default_rng(0).uniform(size=len(y))
    model = BalancedClassifier(LogisticRegression(), random_state=0)
    model.fit(X, y, sample_weight=weights)
    kept = model.downsampling_.indices
    plain = LogisticRegression().fit(X[kept], y[kept], sample_weight=weights[kept])
    assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    with pytest.raises(TypeError, match="sample_weight"):
        BalancedClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=weights)


def test_rows_with_zero_weight_are_not_drawn(unbalanced):
    X, y = unbalanced
    weights = np.ones(len(y))
    weights[:200] = 0.0
    model = BalancedClassifier(LogisticRegression(), random_state=0)
    kept = model.fit(X, y, sample_weight=weights).downsampling_.indices
    assert kept.min() >= 200
    assert model.downsampling_.counts_before.tolist() == np.bincount(y[200:]).tolist()
    assert np.array_equal(kept - 200, downsample(y[200:], random_state=0).indices)
    for wrong in (-weights, weights[1:]):
        with pytest.raises(ValueError, match="weight"):
            model.fit(X, y, sample_weight=wrong)


def test_balanced_hands_its_seed_on(unbalanced):
    X, y = unbalanced
    inner = make_pipeline(StandardScaler(), MLP(epochs=3))
    first, again = (
        BalancedClassifier(inner, random_state=7).fit(X, y).predict_proba(X) for _ in range(2)
    )
    assert np.array_equal(first, again)
    assert inner[-1].random_state is None
    model = BalancedClassifier(MLP(epochs=3, random_state=3), random_state=7).fit(X, y)
    assert model.estimator_.random_state == 3
    assert BalancedClassifier(MLP(epochs=3)).fit(X, y).estimator_.random_state is None
    table, moods = songs.synthesize(400, random_state=0)
    first, again = (
        songs.pipeline(MLP(epochs=3), balance=True, random_state=1).fit(table, moods)
        for _ in range(2)
    )
    assert np.array_equal(first.predict_proba(table), again.predict_proba(table))


def test_balanced_offers_what_the_classifier_does():
    assert hasattr(BalancedClassifier(LinearSVC()), "decision_function")
    assert not hasattr(BalancedClassifier(LinearSVC()), "predict_proba")
    assert hasattr(BalancedClassifier(KNeighborsClassifier()), "predict_proba")
    assert not hasattr(BalancedClassifier(KNeighborsClassifier()), "decision_function")


def test_balanced_clones_and_leaves_the_classifier_alone(unbalanced):
    inner = LogisticRegression(C=0.3)
    model = BalancedClassifier(inner, random_state=5).fit(*unbalanced)
    again = clone(model)
    assert not hasattr(inner, "coef_")
    assert not hasattr(again, "estimator_")
    assert (again.estimator.C, again.random_state) == (0.3, 5)


def test_balanced_keeps_feature_names(unbalanced):
    X, y = unbalanced
    table = pd.DataFrame(X, columns=list("abcde"))
    model = BalancedClassifier(LogisticRegression()).fit(table, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    assert model.n_features_in_ == 5
    assert model.classes_.tolist() == [0, 1]


def test_balanced_in_a_search(unbalanced):
    inner = BalancedClassifier(LogisticRegression(), random_state=0)
    steps = make_pipeline(StandardScaler(), inner)
    strengths = [1e-4, 1.0]
    search = GridSearchCV(steps, {"balancedclassifier__estimator__C": strengths}, cv=3)
    found = search.fit(*unbalanced).cv_results_["mean_test_score"]
    for strength, score in zip(strengths, found, strict=True):
        assert score == pytest.approx(_accuracy_by_hand(*unbalanced, strength))
    assert found[0] != found[1]


def _accuracy_by_hand(X, y, strength):
    """The same search of one strength, without any part of the package but the draw."""
    scores = []
    for train, test in StratifiedKFold(3).split(X, y):
        scaler = StandardScaler().fit(X[train])
        kept = train[downsample(y[train], random_state=0).indices]
        model = LogisticRegression(C=strength).fit(scaler.transform(X[kept]), y[kept])
        scores.append(model.score(scaler.transform(X[test]), y[test]))
    return np.mean(scores)


class Recorder(LogisticRegression):
    """Keeps the labels it was fitted on and the number of rows that it predicted."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = np.asarray(y)
        return super().fit(X, y, sample_weight)


def test_cross_validation_balances_the_training_part_only(unbalanced):
    X, y = unbalanced
    folds = list(StratifiedKFold(4).split(X, y))
    asked = []

    def score(model, X_part, y_part):
        asked.append(np.bincount(y_part).tolist())
        return model.score(X_part, y_part)

    model = BalancedClassifier(Recorder(), random_state=0)
    found = cross_validate(model, X, y, cv=folds, scoring=score, return_estimator=True)
    for fitted, (train, _) in zip(found["estimator"], folds, strict=True):
        smallest = np.bincount(y[train]).min()
        assert np.bincount(fitted.estimator_.seen_).tolist() == [smallest, smallest]
    assert asked == [np.bincount(y[test]).tolist() for _, test in folds]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_balanced_refuses_labels_that_are_no_labels(unbalanced, value):
    X, y = unbalanced
    y = y.astype(float)
    y[3] = value
    with pytest.raises(ValueError, match="y contains"):
        BalancedClassifier(LogisticRegression()).fit(X, y)


@pytest.fixture
def table():
    return pd.DataFrame({"tempo": [120.0, 90.0], "uri": ["x", "y"], "energy": [0.5, 0.1]})


def test_columns_in_any_order(table):
    select = SelectColumns(["energy", "tempo"]).fit(table)
    assert select.transform(table[["energy", "uri", "tempo"]]).tolist() == [[0.5, 120], [0.1, 90]]
    assert select.get_feature_names_out().tolist() == ["energy", "tempo"]


def test_missing_columns_are_named(table):
    with pytest.raises(ValueError, match=r"'energie' \(there is 'energy'\), 'xyz';"):
        SelectColumns(["energie", "tempo", "xyz"]).fit(table)
    select = SelectColumns(["energy"]).fit(table)
    with pytest.raises(ValueError, match="missing columns: 'energy'"):
        select.transform(table.drop(columns="energy"))


def test_columns_by_position():
    X = np.arange(6.0).reshape(2, 3)
    assert SelectColumns([2, 0]).fit_transform(X).tolist() == [[2, 0], [5, 3]]
    table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(uri="x")
    assert SelectColumns([2, 0]).fit_transform(table).tolist() == [[2, 0], [5, 3]]
    for wrong in (3, -1, True, "energy"):
        with pytest.raises(ValueError, match=f"columns are 0 to 2, got {wrong!r}"):
            SelectColumns([wrong]).fit(X)


def test_without_a_choice_every_column_stays_in_its_place(table):
    numbers = table.drop(columns="uri")
    select = SelectColumns().fit(numbers)
    assert select.get_feature_names_out().tolist() == ["tempo", "energy"]
    assert select.transform(numbers).tolist() == [[120, 0.5], [90, 0.1]]
    with pytest.raises(ValueError, match="same order as they were in fit"):
        select.transform(numbers[["energy", "tempo"]])


def test_columns_that_come_twice_are_refused(table):
    twice = pd.concat([table, table["energy"]], axis=1)
    with pytest.raises(ValueError, match="'energy' is the name of more than one column"):
        SelectColumns(["energy"]).fit(twice)
    assert SelectColumns(["tempo"]).fit_transform(twice).tolist() == [[120], [90]]
    with pytest.raises(ValueError, match="each column once"):
        SelectColumns(["tempo", "tempo"]).fit(table)


@pytest.mark.parametrize("columns", ["energy", [], ()])
def test_columns_must_be_several_names(table, columns):
    with pytest.raises(ValueError, match="at least one name or position"):
        SelectColumns(columns).fit(table)


def test_columns_must_hold_numbers(table):
    with pytest.raises(ValueError, match="column 'uri' must hold numbers, got 'x' in row 0"):
        SelectColumns(["uri"]).fit(table)
    table.loc[1, "energy"] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SelectColumns(["energy"]).fit(table)
    table.loc[1, "energy"] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        SelectColumns(["energy"]).fit(table)


@pytest.fixture(scope="module")
def correlated():
    """`signal` tells the label; `noisy` and `mirrored` tell it less; `other` is on its own."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=4000)
    y = (signal + 0.2 * rng.normal(size=4000) > 0).astype(int)
    X = pd.DataFrame(
        {
            "noisy": signal + 0.5 * rng.normal(size=4000),
            "signal": signal,
            "mirrored": -signal + 0.3 * rng.normal(size=4000),
            "other": rng.normal(size=4000),
        }
    )
    return X, y


def test_filter_keeps_what_tells_more(correlated):
    X, y = correlated
    chosen = CorrelationFilter(0.7).fit(X, y)
    assert chosen.get_feature_names_out().tolist() == ["signal", "other"]
    assert np.array_equal(chosen.transform(X), X[["signal", "other"]])
    assert chosen.correlation_ == pytest.approx(np.corrcoef(X.to_numpy().T))


def test_filter_is_fitted_on_the_training_rows_of_a_fold(correlated):
    X, y = correlated
    folds = list(StratifiedKFold(3).split(X, y))
    steps = make_pipeline(CorrelationFilter(), LogisticRegression())
    found = cross_validate(steps, X, y, cv=folds, return_estimator=True)
    for fitted, (train, _) in zip(found["estimator"], folds, strict=True):
        alone = CorrelationFilter().fit(X.iloc[train], y[train])
        assert np.array_equal(fitted[0].correlation_, alone.correlation_)
        assert np.array_equal(fitted[0].relevance_, alone.relevance_)


def test_relevance_is_the_information_of_quantile_bins():
    """Four values, each with its own bin: the sum of p log p / (p p) over the table of counts."""
    x, y = np.repeat([0.0, 1.0, 2.0, 3.0], 8), np.tile([0, 1], 16)
    y[:8] = 0
    shares = np.array([[np.mean((x == a) & (y == b)) for b in (0, 1)] for a in range(4)])
    apart = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0, keepdims=True)
    seen = shares > 0
    expected = (shares[seen] * np.log(shares[seen] / apart[seen])).sum()
    assert CorrelationFilter().fit(x[:, None], y).relevance_ == pytest.approx([expected])


def test_filter_passes_over_pairs_of_which_one_is_gone():
    """Of a chain only the middle goes, with the stronger neighbour; the ends stay."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 5000))
    X = np.column_stack([left, left + 0.9 * right, right])
    found = CorrelationFilter(0.6).fit(X, (left + 0.1 * right > 0).astype(int))
    assert np.abs(found.correlation_[[0, 1], [1, 2]]).min() > 0.6
    assert found.support_.tolist() == [True, False, True]
    assert [(drop["column"], drop["partner"]) for drop in found.dropped_] == [("x1", "x0")]


def test_filter_keeps_the_first_of_equal_columns():
    x = np.random.default_rng(0).normal(size=50)
    assert CorrelationFilter().fit(np.c_[x, x, x], x > 0).support_.tolist() == [True, False, False]


@pytest.mark.parametrize("y", [np.linspace(0, 1, 4000), np.full(4000, np.nan), None])
def test_filter_needs_class_labels(correlated, y):
    with pytest.raises(ValueError, match=r"continuous|y contains NaN|requires y"):
        CorrelationFilter().fit(correlated[0], y)


def test_filter_records_why(correlated):
    X, y = correlated
    dropped = CorrelationFilter(0.7).fit(X, y).dropped_
    # The strongest pair comes first.
    assert [drop["column"] for drop in dropped] == ["mirrored", "noisy"]
    for drop in dropped:
        assert drop["partner"] == "signal"
        assert drop["correlation"] == pytest.approx(X[drop["column"]].corr(X["signal"]))
        assert drop["relevance"] < drop["partner_relevance"]


def test_filter_with_a_threshold_of_one_keeps_all(correlated):
    assert CorrelationFilter(1.0).fit(*correlated).support_.all()


def test_filter_sees_what_is_not_linear():
    """The square tells all of the label, though both have the same correlation with it: none."""
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 3, size=4000)
    blurred = x + 0.3 * rng.normal(size=4000)
    y = (np.abs(x - 2) > 0.5).astype(int)
    found = CorrelationFilter(0.7).fit(np.column_stack([blurred, x]), y)
    assert found.support_.tolist() == [False, True]


def test_filter_does_not_depend_on_the_scale(correlated):
    X, y = correlated
    found = CorrelationFilter().fit(X, y)
    for scaled in (X * [1e-9, 1e6, 1.0, 1e3] + [0, 5, -3, 1], X * [1e-300, 1e300, -1.0, 1e160]):
        again = CorrelationFilter().fit(scaled, y)
        assert np.array_equal(again.support_, found.support_)
        assert np.abs(again.correlation_) == pytest.approx(np.abs(found.correlation_))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_filter_keeps_constant_columns_and_says_so(correlated, value):
    X, y = correlated
    found = CorrelationFilter(0.0).fit(X.assign(still=value), y)
    assert found.constant_ == ["still"]
    assert found.support_[-1]
    assert np.isfinite(found.correlation_).all()


@pytest.mark.parametrize("threshold", [-0.1, 1.1, np.nan])
def test_filter_refuses_thresholds_out_of_range(correlated, threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        CorrelationFilter(threshold).fit(*correlated)
