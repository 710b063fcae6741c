"""What a study measures: compared with scikit-learn and plain loops, and without leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_studies import table, trees

from moodcore import FeatureStudy, feature_study, songs
from moodcore.errors import ConfigError
from moodcore.features import MODELS, measures
from moodcore.preprocessing import CorrelationFilter
from moodcore.runs.folds import cut

NUMBERS = ["left", "right", "copy", "noise"]


def quick(X, y, **changes):
    """A study of one plain model that eliminates and filters once."""
    options = {"models": {"plain": LogisticRegression()}, "thresholds": [0.7], "sizes": [2]}
    return feature_study(X, y, **options | {"folds": 3, "repeats": 2, "n_jobs": 1} | changes)


# What is measured.


def test_accuracy_is_that_of_scikit_learn_on_the_same_folds(data):
    X, y = data
    found = quick(X[NUMBERS], y)
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    for fold, (train, valid) in enumerate(cut(np.unique(y, return_inverse=True)[1], 3, 0)):
        plain.fit(X[NUMBERS].iloc[train], y[train])
        expected = accuracy_score(y[valid], plain.predict(X[NUMBERS].iloc[valid]))
        rows = found.trainings[found.trainings["choice"] == "all"]
        assert rows["accuracy"].iloc[fold] == pytest.approx(expected)


def test_the_filter_is_fitted_in_each_fold(data):
    X, y = data
    found = quick(X[NUMBERS], y)
    codes = np.unique(y, return_inverse=True)[1]
    rows = found.trainings[found.trainings["choice"] == "filter 0.7"]
    for fold, (train, _) in enumerate(cut(codes, 3, 0)):
        kept = CorrelationFilter(0.7).fit(X[NUMBERS].iloc[train], y[train]).get_feature_names_out()
        assert rows["features"].iloc[fold] == ", ".join(kept)
        assert len(kept) == 3


def test_elimination_is_that_of_scikit_learn(data):
    X, y = data
    codes = np.unique(y, return_inverse=True)[1]

    def gain(model):
        return model.importances("total_gain")

    # Enough splits that no two features are used alike.
    model = trees(n_estimators=30, max_leaves=12, random_state=0)

    def shares(names):
        return dict(zip(names, gain(clone(model).fit(X[names], codes)), strict=True))

    order = measures.elimination(shares, NUMBERS)
    ranking = RFE(model, n_features_to_select=1, importance_getter=gain)
    expected = ranking.fit(X[NUMBERS], codes)
    by_rank = sorted(zip(expected.ranking_, NUMBERS, strict=True))
    assert order == [name for _, name in by_rank]


def test_features_are_eliminated_one_by_one_and_ties_from_the_right():
    names, sizes = [f"f{n}" for n in range(50)], []

    def shares(left):
        sizes.append(len(left))
        # The preparation left one out.
        return {name: 0.0 for name in left if name != "f7"}

    order = measures.elimination(shares, names)
    assert order == [*(name for name in names if name != "f7"), "f7"]
    assert sizes[:12] == [50, 48, 46, 44, 42, 40, 38, 37, 36, 35, 34, 33]


def test_costs_are_paired_by_fold(study):
    folds = study.trainings.pivot(index="fold", columns=["choice", "model"], values="accuracy")
    for row in study.choices.itertuples():
        lost = folds["all", row.model] - folds[row.choice, row.model]
        assert row.cost == pytest.approx(lost.mean())
        assert row.accuracy == pytest.approx(folds[row.choice, row.model].mean())
        assert row.accuracy_std == pytest.approx(folds[row.choice, row.model].std())
        # Nadeau and Bengio (2003), with Student's t of two degrees of freedom.
        half = 4.302653 * np.sqrt((1 / 3 + 1 / 2) * lost.var())
        assert row.cost_high - row.cost == pytest.approx(half, rel=1e-5, abs=1e-12)
        assert row.beyond_spread == (abs(row.cost) > half)


def test_shuffling_a_feature_that_decides_costs_accuracy(study):
    shuffled = study.importances[study.importances["measure"] == "permutation"]
    means = shuffled.pivot(index="feature", columns="model", values="mean")
    assert (means.loc["right"] > 0.08).all()
    assert (means.loc["noise"].abs() < 0.05).all()
    assert set(shuffled["model"]) == {"gbt", "plain"}
    assert (shuffled["repeat_std"] >= 0).all()
    wide = study.features.set_index("feature")
    assert wide["permutation_gbt"].to_dict() == means["gbt"].to_dict()


def test_permutation_is_a_plain_loop_of_scikit_learn(data):
    X, y = data
    codes = np.unique(y, return_inverse=True)[1]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[NUMBERS], codes)
    found = measures.permutation(model, X[NUMBERS], codes, repeats=1, seed=3, on_poll=lambda: None)
    rng = np.random.RandomState(3)
    # scikit-learn draws one seed, and shuffles each feature with it.
    column_seed = rng.randint(np.iinfo(np.int32).max + 1)
    for name in NUMBERS:
        shuffled = X[NUMBERS].copy()
        order = np.arange(len(X))
        np.random.RandomState(column_seed).shuffle(order)
        shuffled[name] = X[name].to_numpy()[order]
        lost = model.score(X[NUMBERS], codes) - model.score(shuffled, codes)
        assert found["mean"][name] == pytest.approx(lost)
        assert found["std"][name] == 0.0


def test_measures_without_a_model_see_what_there_is(study):
    by_name = study.features.set_index("feature")
    assert by_name.loc["copy", "partner"] == "left"
    assert by_name.loc["left", "partner_correlation"] > 0.99
    assert by_name["label_correlation"].idxmax() in ("left", "copy", "key", "right")
    assert by_name["mutual_information"].idxmin() == "noise" or by_name.loc[
        "noise", "mutual_information"
    ] == pytest.approx(0.0, abs=0.03)
    assert by_name["gain"].sum() == pytest.approx(1.0)
    assert by_name.loc["noise", "shap"] < by_name.loc["right", "shap"]
    assert by_name.loc["key", "kind"] == "category"
    assert by_name.loc["key", "partner"] == ""
    assert by_name.loc["copy", "kept_filter 0.9"] + by_name.loc["left", "kept_filter 0.9"] == 1
    assert by_name.loc["key", "kept_filter 0.5"] == 1, "no correlation of categories is known"
    assert study.correlation.loc["left", "copy"] > 0.99


def test_label_correlation_of_two_classes_is_pearsons():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=200)
    x = y + rng.normal(size=200)
    expected = abs(np.corrcoef(x, y)[0, 1])
    assert measures.label_correlation(x, y, discrete=False) == pytest.approx(expected)
    assert measures.label_correlation(1e200 * x, y, discrete=False) == pytest.approx(expected)
    assert measures.label_correlation(np.ones(200), y, discrete=False) == 0.0


def test_label_correlation_of_three_classes_is_the_share_between_them():
    y = np.repeat([0, 1, 2], 2)
    x = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    between, total = 2 * ((1 - 5) ** 2 + 0 + (9 - 5) ** 2), ((x - 5) ** 2).sum()
    assert measures.label_correlation(x, y, discrete=False) == pytest.approx(
        np.sqrt(between / total)
    )


def test_label_correlation_of_categories_is_cramers_v():
    assert measures.label_correlation(np.array([0, 0, 1, 1.0]), np.array([1, 1, 0, 0]),
                                      discrete=True) == pytest.approx(1.0)  # fmt: skip


# What must not be.


def test_validation_rows_change_nothing_in_choices(data):
    """Neither filter nor elimination nor any measure of the training part sees them."""
    X, y = data
    before = feature_study(X, y, models={"gbt": trees()}, thresholds=[0.7], folds=3, repeats=1)
    codes = np.unique(y, return_inverse=True)[1]
    _, valid = cut(codes, 3, 0)[0]
    changed = X.copy()
    # The noise now goes with the label, but only where the first fold is judged.
    changed.loc[valid, "noise"] = 100.0 * codes[valid]
    changed.loc[valid, "left"] = 0.0
    after = feature_study(changed, y, models={"gbt": trees()}, thresholds=[0.7], folds=3, repeats=1)

    def features(found, fold):
        return found.trainings.loc[found.trainings["fold"] == fold, "features"].tolist()

    assert features(before, 1) == features(after, 1)
    assert features(before, 2) != features(after, 2), "where they train, they matter"


@pytest.mark.parametrize("balance", [False, True])
def test_labels_without_meaning_give_chance(balance):
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(600, 8)), columns=[f"f{n}" for n in range(8)])
    y = rng.integers(0, 2, size=600)
    found = quick(X, y, models={"gbt": trees()}, sizes=[1, 2, 4], balance=balance)
    assert found.choices["accuracy"].between(0.42, 0.58).all()


def test_training_is_balanced_if_asked():
    X, _ = table(300)
    rare = np.where(np.arange(300) % 10 == 0, "rare", "common")

    seen = []

    class Counts(DummyClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.append(np.unique(y, return_counts=True)[1].tolist())
            return super().fit(X, y, sample_weight)

    quick(X, rare, models={"counts": Counts()}, balance=True)
    # In the folds, and at the end on all rows.
    assert {tuple(counts) for counts in seen} == {(20, 20), (30, 30)}
    seen.clear()
    quick(X, rare, models={"counts": Counts()})
    assert {tuple(counts) for counts in seen} == {(180, 20), (270, 30)}


def test_threads_and_processes_give_the_same_bytes(data, study):
    again = feature_study(
        *data,
        models={"gbt": trees(), "plain": LogisticRegression()},
        sets={"two": ["right", "left"]},
        thresholds=[0.9, 0.5],
        folds=3,
        repeats=3,
        n_jobs=1,
    )
    assert repr(again.metrics) == repr(study.metrics)


def test_numbers_of_numpy_are_numbers(data):
    X, y = data
    options = {"thresholds": np.array([0.7]), "sizes": np.array([2])}
    assert quick(X, y, **options).choices.equals(quick(X, y).choices)


def test_another_seed_is_another_study(data):
    X, y = data
    assert not quick(X, y).trainings.equals(quick(X, y, random_state=1).trainings)


# What may come.


def test_every_family_takes_categories_and_missing_values(data):
    X, y = data
    X = X.assign(left=X["left"].where(np.arange(len(X)) % 7 > 0))
    X["key"] = X["key"].where(np.arange(len(X)) % 5 > 0)
    found = quick(X, y, models=MODELS, epochs=3, repeats=1, folds=2, n_jobs=2)
    assert set(found.choices["model"]) == set(MODELS)
    assert (found.trainings["failure"] == "").all()
    assert found.choices["accuracy"].notna().all()


@pytest.mark.parametrize("kind", ["array", "arrow", "polars"])
def test_tables_of_any_kind(data, kind):
    import polars
    import pyarrow

    X, y = data
    make = {
        "array": lambda frame: frame.to_numpy(),
        "arrow": pyarrow.Table.from_pandas,
        "polars": polars.from_pandas,
    }
    found = quick(make[kind](X[NUMBERS]), y)
    expected = quick(X[NUMBERS], y)
    names = [f"x{n}" for n in range(4)] if kind == "array" else NUMBERS
    assert found.features["feature"].tolist() == names
    assert found.choices["accuracy"].tolist() == expected.choices["accuracy"].tolist()


def test_a_table_of_categories_alone():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.choice(list("ab"), 200) for name in ("one", "two", "three")})
    found = quick(X, X["one"] == "a", models={"gbt": trees()})
    by_name = found.features.set_index("feature")
    assert by_name.loc["one", "label_correlation"] == pytest.approx(1.0)
    assert by_name.loc["one", "elimination_rank"] == 1
    assert found.correlation.shape == (0, 0)
    assert not (found.choices["kind"] == "filter").any(), "there is nothing to correlate"


def test_a_column_that_is_constant_in_a_fold_is_of_no_use_there(data):
    X, y = data
    _, valid = cut(y, 3, 0)[0]
    same = pd.Series(1.0, index=X.index)
    same.iloc[valid[:2]] = [2.0, 3.0]
    found = quick(X.assign(same=same), y).features.set_index("feature")
    assert found.loc["same", "label_correlation"] < 0.1
    assert found.loc["same", "elimination_rank"] >= 5
    assert "same" not in quick(X.assign(same=1.0), y).features["feature"].tolist()


def test_a_model_that_fails_leaves_the_others(data):
    class Fails(DummyClassifier):
        def fit(self, X, y, sample_weight=None):
            raise RuntimeError("out of luck")

    X, y = data
    models = {"bad": Fails(), "plain": LogisticRegression()}
    found = quick(X, y, models=models)
    bad = found.choices[found.choices["model"] == "bad"]
    assert bad["accuracy"].isna().all()
    assert not bad["beyond_spread"].any()
    assert found.choices.loc[found.choices["model"] == "plain", "accuracy"].notna().all()
    rows = found.trainings[found.trainings["model"] == "bad"]
    assert set(rows["failure"]) == {"RuntimeError: out of luck"}
    assert found.metrics["recommended"]["model"] == "plain"
    only = quick(X, y, models={"bad": Fails()})
    assert only.metrics["recommended"] is None
    assert only.best_model is None


# What may be passed.


class FailsOnAllRows(LogisticRegression):
    """Fits the training rows of a fold only."""

    def fit(self, X, y):
        if len(y) > 300:
            raise ValueError("too many rows")
        return super().fit(X, y)


def test_the_recommended_model_may_fail_on_all_rows(data):
    from moodcore.runs.listener import Listener

    class Stages(Listener):
        def stage(self, text):
            texts.append(text)

    texts = []
    X, y = data
    models = {"plain": FailsOnAllRows()}
    study = feature_study(X, y, models=models, folds=2, repeats=1, listener=Stages())
    assert study.metrics["recommended"]["model"] == "plain"
    assert study.metrics["test"] is None
    assert any("could not be trained on all rows" in text for text in texts)


def test_models_are_names_or_classifiers(data):
    X, y = data
    options = {"sizes": [2], "thresholds": [], "epochs": 3}
    names = quick(X, y, models=["gbt", "logistic-regression"], **options)
    assert set(names.choices["model"]) == {"gbt", "logistic-regression"}
    mapping = quick(X, y, models={"trees": "gbt", "plain": LogisticRegression()}, **options)
    assert set(mapping.choices["model"]) == {"trees", "plain"}
    assert names.choices["accuracy"].iloc[0] == mapping.choices["accuracy"].iloc[0]


@pytest.mark.parametrize("balance", [False, True])
def test_a_pipeline_gets_the_table_as_it_is(data, balance):
    X, y = data
    numbers = make_column_selector(dtype_include="number")
    model = make_pipeline(make_column_transformer((StandardScaler(), numbers)), DummyClassifier())
    seen = []

    class Columns(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(X.shape[1])
            return super().fit(X, y, sample_weight)

    model.steps[-1] = ("last", Columns())
    found = quick(X, y, models={"mine": model}, thresholds=[], balance=balance)
    assert (found.trainings["failure"] == "").all()
    assert set(seen) <= {1, 2, 4}, "the category is dropped by the pipeline, not encoded"
    assert 4 in seen
    assert found.best_model.predict(X).shape == y.shape


def test_a_file_or_a_frame_with_a_column_name_is_the_same_study(data, tmp_path):
    X, y = data
    table = X.assign(volume=y)
    table.to_parquet(tmp_path / "table.parquet")
    expected = quick(X, y)
    for source in (table, tmp_path / "table.parquet", str(tmp_path / "table.parquet")):
        found = quick(source, "volume")
        assert found.choices.equals(expected.choices)
        assert found.metrics["data"]["target"] == "volume"


def test_columns_can_be_dropped_and_chosen(data):
    X, y = data
    dropped = quick(X, y, drop=["copy"]).features["feature"].tolist()
    assert dropped == ["left", "right", "noise", "key"]
    chosen = quick(X, y, features=["key", "left", "noise"]).features["feature"].tolist()
    assert chosen == ["key", "left", "noise"]


def test_a_wide_table_is_measured_at_eight_sizes():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 60)), columns=[f"f{n}" for n in range(60)])
    found = quick(X, X["f3"] + X["f40"] > 0, models={"gbt": trees()}, sizes=None, repeats=1)
    levels = found.choices.loc[found.choices["kind"] == "elimination", "level"].tolist()
    assert levels == [59, 33, 18, 10, 6, 3, 2, 1]
    assert set(found.features.sort_values("elimination_rank")["feature"][:2]) == {"f3", "f40"}


def test_rows_of_a_test_file_test_the_recommended_model(data, tmp_path):
    X, y = data
    table = X.assign(volume=y)
    table.iloc[300:].to_parquet(tmp_path / "test.parquet")
    found = quick(table.iloc[:300], "volume", test=tmp_path / "test.parquet")
    expected = np.mean(found.best_model.predict(X.iloc[300:]) == y[300:])
    assert found.metrics["test"]["accuracy"] == pytest.approx(expected)
    assert (found.metrics["data"]["train_rows"], found.metrics["data"]["test_rows"]) == (300, 100)


# The result.


def test_the_best_model_has_the_recommended_features(data):
    X, y = data
    found = quick(X, y, models={"gbt": trees(), "plain": LogisticRegression()}, sizes=None)
    recommended = found.metrics["recommended"]
    columns = recommended["features"]
    full = found.choices[found.choices["choice"] == "all"].set_index("model")["accuracy"]
    assert recommended["model"] == full.idxmax()
    assert set(columns) < set(X.columns)
    predicted = found.best_model.predict(X[columns])
    assert np.mean(predicted == y) > full.max() - 0.05
    with pytest.raises(ValueError, match=columns[0]):
        found.best_model.predict(X.drop(columns=columns[0]))


def test_a_study_is_read_from_its_folder(data, tmp_path):
    X, y = data
    found = quick(X, y, models=["gbt"], epochs=5, out=tmp_path / "run")
    read = FeatureStudy.read(tmp_path / "run")
    assert read.best_model.predict(X).tolist() == found.best_model.predict(X).tolist()
    for name in ("features", "importances", "choices", "trainings", "correlation"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(found, name))
    assert (tmp_path / "run" / "report.html").exists()
    assert str(tmp_path / "run") in repr(read)
    assert "eliminated to 2" in read._repr_html_()
    page = found.report(tmp_path / "page.html")
    assert "eliminated to 2" in page.read_text()


# What is refused.


def wrong(X=None, y=None, **options):
    own, labels = table(60)
    return lambda: quick(
        own if X is None else X(own), labels if y is None else y(labels), **options
    )


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (wrong(X=lambda X: X[["left"]]), "at least two features, got 1"),
        (wrong(X=lambda X: X.assign(left=[np.inf, *X["left"][1:]])), "'left'.*inf"),
        (wrong(y=lambda y: y[:5]), "one label per row .60., got 5"),
        (wrong(y=lambda y: np.full(60, "loud")), "only the label 'loud'"),
        (wrong(y=lambda y: np.arange(60) < 3), "3 folds need at least 6 rows .* 'True' .3."),
        (wrong(sets={"mine": ["lefd"]}), "set 'mine': feature 'lefd' does not .* 'left'"),
        (wrong(sets={"mine": []}), "set 'mine' must name at least one feature, got"),
        (wrong(sets={"mine": ["left", "left"]}), "each feature once"),
        (wrong(sets={"all": ["left"]}), "'all' is the name of another choice"),
        (wrong(sets=["left"]), "sets must be a mapping"),
        (wrong(thresholds=[1.5]), r"thresholds must be in \[0, 1\], got 1.5"),
        (wrong(thresholds=[0.7, 0.7]), "must not repeat a number"),
        (wrong(sizes=[5]), "sizes must be below the number of features, 5, got 5"),
        (wrong(sizes=[0]), "sizes must be an int of at least 1, got 0"),
        (wrong(folds=1), "folds must be an int of at least 2, got 1"),
        (wrong(repeats=0), "repeats must be an int of at least 1, got 0"),
        (wrong(balance="yes"), "balance must be True or False, got 'yes'"),
        (wrong(seed=-1), "seed must be an int of at least 0, got -1"),
        (wrong(thresholds="0.7"), "thresholds must be a list of numbers, got '0.7'"),
        (wrong(sizes=3), "sizes must be a list of numbers, got 3"),
        (wrong(features="uncorrelated"), "features must be 'all'"),
        (wrong(repeat=3), "setting 'repeat' does not exist; did you mean 'repeats'"),
        (wrong(models={}), "at least one model, got none"),
        (wrong(models=["gbt", "smv"]), "'smv' does not exist; did you mean 'svm'"),
        (wrong(models="gbt"), "models must be a list or a mapping, got the str 'gbt'"),
    ],
)
def test_wrong_requests_say_what_is_allowed(ask, says):
    with pytest.raises(ValueError, match=says):
        ask()


def test_a_model_of_another_library_is_in_no_file(data, tmp_path):
    X, y = data
    found = quick(X, y, out=tmp_path / "run")
    assert found.best_model.predict(X).shape == y.shape
    with pytest.raises(ConfigError, match="'plain', is of another library"):
        _ = FeatureStudy.read(tmp_path / "run").best_model


def test_the_model_of_songs_is_in_the_folder(tmp_path):
    found = feature_study(
        models=["gbt"],
        rows=300,
        epochs=5,
        thresholds=[],
        sizes=[4],
        folds=2,
        repeats=1,
        out=tmp_path,
    )
    X, _ = songs.synthesize(50, random_state=1)
    read = FeatureStudy.read(tmp_path).best_model
    assert read.predict(X).tolist() == found.best_model.predict(X).tolist()
    assert list(read.feature_names_in_) == found.metrics["recommended"]["features"]


def test_a_class_is_no_model(data):
    with pytest.raises(TypeError, match=r"models\['x'\] must be a scikit-learn classifier"):
        quick(*data, models={"x": LogisticRegression})


def test_songs_keep_the_published_finding():
    """On synthetic songs, as on the published ones, trees lose much with the three features."""
    X, y = songs.synthesize(2000, random_state=0)
    found = feature_study(
        X[list(songs.FEATURES)],
        y,
        models={"gbt": trees(n_estimators=40, max_leaves=16)},
        sets={"published": songs.SELECTED_FEATURES},
        thresholds=[],
        sizes=[7],
        folds=3,
        repeats=1,
    )
    cost = found.choices.set_index("choice")["cost"]
    assert cost["published"] > 0.04
    assert cost["eliminated to 7"] < cost["published"] - 0.03
