"""Pipelines of scikit-learn's common transformers are saved, and load with the same bits."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from parts_of_files import changed, rewritten
from safetensors.numpy import load as arrays_of
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from moodcore import GBT, MLP, SVM, LinearSVM, ModelFileError, load
from moodcore.model_files import save

pytestmark = [
    pytest.mark.filterwarnings("ignore:sparse X of shape"),
    pytest.mark.filterwarnings("ignore:Found unknown categories"),
]
NUMBERS = ["size", "age", "rate"]
ON_NUMBERS = [
    SimpleImputer(),
    SimpleImputer(strategy="median", add_indicator=True),
    SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True),
    make_pipeline(SimpleImputer(), RobustScaler(quantile_range=(10.0, 90.0))),
    make_pipeline(SimpleImputer(), RobustScaler(with_centering=False)),
    make_pipeline(SimpleImputer(), MaxAbsScaler(), FunctionTransformer()),
    make_pipeline(SimpleImputer(), MinMaxScaler(clip=True)),
    make_pipeline(StandardScaler(), SimpleImputer(missing_values=np.nan)),
    make_pipeline(SimpleImputer(), PowerTransformer()),
    make_pipeline(SimpleImputer(), PowerTransformer(standardize=False)),
    make_pipeline(SimpleImputer(), QuantileTransformer(n_quantiles=20)),
    make_pipeline(
        SimpleImputer(), QuantileTransformer(n_quantiles=9, output_distribution="normal")
    ),
]
ON_TEXT = [
    OneHotEncoder(handle_unknown="ignore"),
    OneHotEncoder(drop="first", sparse_output=False, dtype=np.float32, handle_unknown="ignore"),
    OneHotEncoder(drop="if_binary", handle_unknown="infrequent_if_exist", min_frequency=20),
    OneHotEncoder(max_categories=3, handle_unknown="infrequent_if_exist", sparse_output=False),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    OrdinalEncoder(encoded_missing_value=-2, min_frequency=0.1, dtype=np.float32,
                   handle_unknown="use_encoded_value", unknown_value=np.nan),
    make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    make_pipeline(SimpleImputer(strategy="constant", fill_value="none"),
                  OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=99)),
]  # fmt: skip


def frame(seed, n_rows):
    """Numbers with gaps, text and codes with rare and missing categories, and labels."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.lognormal(size=(n_rows, 3)), columns=NUMBERS)
    X.loc[::7, "age"] = np.nan
    X["city"] = rng.choice(["a", "b", "c", "d", "e"], n_rows, p=[0.5, 0.3, 0.1, 0.06, 0.04])
    X["code"] = rng.choice([1, 2, 5], n_rows)
    X["city"] = X["city"].astype(object)
    X.loc[::11, "city"] = None
    return X, np.where((X["size"] > 1) ^ (X["code"] == 2), "yes", "no")


def check_same_bits(model, new, path):
    """Save and load a model and compare what both return."""
    save(model, path)
    again = load(path)
    steps, loaded_steps = model[:-1], again[:-1]
    expected, found = steps.transform(new), loaded_steps.transform(new)
    assert type(found) is type(expected)
    dense, loaded_dense = (
        values.toarray() if hasattr(values, "toarray") else np.asarray(values)
        for values in (expected, found)
    )
    assert loaded_dense.dtype == dense.dtype
    np.testing.assert_array_equal(loaded_dense, dense)
    np.testing.assert_array_equal(again.predict(new), model.predict(new))
    if not isinstance(model[-1], LinearSVM):
        np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    if hasattr(model[0], "get_feature_names_out") and hasattr(model, "feature_names_in_"):
        assert list(again.feature_names_in_) == list(model.feature_names_in_)
    # The same file comes out, and the pipeline can be trained again.
    save(again, path.with_suffix(".again"))
    assert path.read_bytes() == path.with_suffix(".again").read_bytes()
    return again


@pytest.mark.parametrize("named", [True, False], ids=["names", "positions"])
@pytest.mark.parametrize("transformer", ON_NUMBERS, ids=str)
def test_numbers(transformer, named, tmp_path):
    X, y = frame(0, 200)
    new, _ = frame(1, 90)
    X, new = X[NUMBERS], new[NUMBERS] * 2
    if not named:
        X, new = X.to_numpy(), new.to_numpy()
    model = Pipeline([("prepare", clone(transformer)), ("classify", GBT(3, random_state=0))])
    check_same_bits(model.fit(X, y), new, tmp_path / "model.safetensors")


@pytest.mark.parametrize("columns", [["city", "code"], ["city"], ["code"]], ids=str)
@pytest.mark.parametrize("transformer", ON_TEXT, ids=str)
def test_categories(transformer, columns, tmp_path):
    X, y = frame(0, 200)
    new, _ = frame(1, 90)
    new.loc[::5, "city"], new.loc[::6, "code"] = "elsewhere", 77
    if columns == ["code"] and "none" in str(transformer):
        pytest.skip("text does not replace numbers")
    model = make_pipeline(clone(transformer), GBT(3, random_state=0))
    check_same_bits(model.fit(X[columns], y), new[columns], tmp_path / "model.safetensors")


def columns_of(kind):
    text = make_pipeline(SimpleImputer(strategy="most_frequent"),
                         OneHotEncoder(handle_unknown="ignore"))  # fmt: skip
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return {
        "names": [("numbers", numbers, NUMBERS), ("text", text, ["city"])],
        "selectors": [
            ("numbers", numbers, make_column_selector(dtype_include=np.number)),
            ("text", text, make_column_selector(dtype_exclude=np.number)),
        ],
        "positions": [("text", text, [3]), ("numbers", numbers, slice(0, 3))],
        "mask": [("numbers", numbers, np.array([True, True, True, False, False]))],
        "dropped": [("text", "drop", ["city"]), ("none", StandardScaler(), [])],
    }[kind]


@pytest.mark.parametrize("remainder", ["drop", "passthrough", MinMaxScaler()], ids=str)
@pytest.mark.parametrize("kind", ["names", "selectors", "positions", "mask", "dropped"])
def test_column_transformers(kind, remainder, tmp_path):
    X, y = frame(0, 200)
    new, _ = frame(1, 90)
    if kind == "mask":
        X, new = X.assign(city=1.0), new.assign(city=2.0)
    if kind == "dropped":
        X, new = X.fillna(0), new.fillna(0)
        if remainder == "drop":
            pytest.skip("no column is left")
    transformer = ColumnTransformer(columns_of(kind), remainder=clone(remainder)
                                    if hasattr(remainder, "fit") else remainder)  # fmt: skip
    model = make_pipeline(transformer, LinearSVM(random_state=0)).fit(X, y)
    again = check_same_bits(model, new, tmp_path / "model.safetensors")
    shuffled = new[new.columns[::-1]].assign(further=1)
    if kind == "names":
        np.testing.assert_array_equal(again.predict(shuffled), model.predict(shuffled))
    np.testing.assert_array_equal(clone(again).fit(X, y).predict(new), model.predict(new))


def test_frames_between_steps(tmp_path):
    X, y = frame(0, 200)
    transformer = ColumnTransformer(
        [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
         ("text", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["city"])],
        transformer_weights={"numbers": 2.0}, verbose_feature_names_out=False,
    )  # fmt: skip
    model = make_pipeline(transformer, MLP((3,), epochs=2, random_state=0))
    model.set_output(transform="pandas").fit(X, y)
    again = check_same_bits(model, X, tmp_path / "model.safetensors")
    assert list(again[:-1].transform(X)) == list(model[:-1].transform(X))


def test_nested_pipelines_with_scaled_svm(tmp_path):
    X, y = frame(0, 150)
    inner = ColumnTransformer([("numbers", SimpleImputer(), NUMBERS)])
    model = make_pipeline(make_pipeline(inner, RobustScaler()),
                          SVM(probability=True, random_state=0)).fit(X, y)  # fmt: skip
    check_same_bits(model, X, tmp_path / "model.safetensors")


def test_what_holds_code_or_is_unknown_is_refused_by_name(tmp_path):
    X, y = frame(0, 100)
    for transformer, message in (
        (FunctionTransformer(np.log1p), r"FunctionTransformer with func cannot .* code"),
        (
            PolynomialFeatures(),
            r"a model file can contain .*SimpleImputer.*; got PolynomialFeatures",
        ),
        (SimpleImputer(strategy=np.nanmax), "strategy of a SimpleImputer is a function"),
    ):
        model = make_pipeline(transformer, GBT(2)).fit(X[["size"]], y)
        with pytest.raises(TypeError, match=message):
            save(model, tmp_path / "model.safetensors")
        assert not list(tmp_path.iterdir())


def test_column_transformer_is_sparse_only_if_a_part_is(tmp_path):
    """scikit-learn stacks dense blocks as sparse ones with "blocks must be 2-D"."""
    X, y = frame(0, 100)
    path = tmp_path / "model"
    model = make_pipeline(ColumnTransformer([("size", MaxAbsScaler(), [0])]), GBT(2)).fit(X, y)
    save(model, path)
    path.write_bytes(changed(path.read_bytes(), "model.steps.0.1.sparse_output", value=True))
    again = load(path)
    assert again[0].sparse_output_ is False
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))

    inner = make_pipeline(OneHotEncoder(), MaxAbsScaler())
    transformer = ColumnTransformer([("city", inner, ["city"])], sparse_threshold=1.0)
    check_same_bits(make_pipeline(transformer, GBT(2)).fit(X, y), X, path)
    assert scipy.sparse.issparse(load(path)[0].transform(X))


def test_column_transformer_fitted_on_sparse_rows_takes_dense_rows_after_loading(tmp_path):
    X, y = frame(0, 100)
    numbers = X[["size", "code"]].to_numpy()
    numbers[::2] = 0
    rows = scipy.sparse.csr_array(numbers)
    transformer = ColumnTransformer([("all", MaxAbsScaler(), [0, 1])], sparse_threshold=1.0)
    model = make_pipeline(transformer, GBT(2)).fit(rows, y)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    for table in (rows, numbers):
        np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(rows))


@pytest.mark.parametrize(
    "follower", [StandardScaler(with_mean=False), RobustScaler(with_centering=False)], ids=str
)
def test_transformers_of_dense_rows_do_not_follow_sparse_ones(follower, tmp_path):
    X, y = frame(0, 100)
    path = tmp_path / "model"
    model = make_pipeline(OneHotEncoder(), clone(follower), GBT(2)).fit(X[["code"]], y)
    check_same_bits(model, X[["code"]], path)
    dense = make_pipeline(OneHotEncoder(sparse_output=False), type(follower)(), GBT(2))
    dense.fit(X[["code"]], y)
    save(dense, path)
    load(path)
    forged = changed(path.read_bytes(), "model.steps.0.1.params.sparse_output", value=True)
    path.write_bytes(forged)
    with pytest.raises(ModelFileError, match="takes dense rows, onehotencoder returns sparse ones"):
        load(path)


def test_references_of_quantiles_are_probabilities(tmp_path):
    X, y = frame(0, 100)
    path = tmp_path / "model"
    scaler = QuantileTransformer(n_quantiles=5, output_distribution="normal")
    save(make_pipeline(scaler, GBT(2)).fit(X[["size"]], y), path)
    arrays = arrays_of(path.read_bytes())
    name = next(name for name in arrays if name.endswith("references_"))
    arrays[name] = arrays[name] * 1.5
    path.write_bytes(rewritten(path.read_bytes(), arrays))
    with pytest.raises(ModelFileError, match="references_ must be 0 to 1"):
        load(path)
