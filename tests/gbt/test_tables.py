"""Every kind of table gives the same trees, and says what is wrong with it."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from moodcore import GBT, _core
from moodcore.estimators.table_schema import TableSchema
from moodcore.estimators.tables import read_table, validate_table

LETTERS = np.array(["w", "x", "yy", "z"])


def quick(**params):
    return GBT(10, **{"random_state": 0} | params)


def bits(model, X):
    return model.decision_function(X).tobytes()


@pytest.fixture(scope="module")
def mixed():
    """A frame of numbers, missing ones among them, and letters; two classes."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(600, 2)), columns=["energy", "tempo"])
    frame.loc[rng.random(600) < 0.1, "tempo"] = np.nan
    frame["count"] = rng.integers(-5, 5, 600)
    frame["loud"] = rng.random(600) < 0.5
    letters = LETTERS[rng.integers(0, 4, 600)]
    frame["key"] = pd.Categorical(letters)
    y = np.isin(letters, ["w", "yy"]) ^ (frame["energy"].to_numpy() > 1)
    return frame, y


NUMBERS = {
    "C order": np.ascontiguousarray,
    "F order": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1][::-1],
    "unaligned": lambda X: (
        np.frombuffer(b"." + X.tobytes(), dtype="V1")[1:].view(np.float64).reshape(X.shape)
    ),
    "read only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "other bytes": lambda X: X.astype(">f8"),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
}


@pytest.mark.parametrize("kind", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_however_they_lie_in_memory(kind, dtype, gaps):
    X, y = gaps[0].astype(dtype).astype(np.float64), gaps[1]
    table = kind(X) if kind is not np.asfortranarray else kind(X.astype(dtype))
    assert bits(quick().fit(table, y), table) == bits(quick().fit(X, y), X)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "i8", "?"])
def test_whole_numbers(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype == "?" else 100, size=(300, 4)).astype(dtype)
    y = X[:, 0] > X[:, 1]
    model = quick().fit(X, y)
    assert bits(model, X) == bits(quick().fit(X.astype(float), y), X.astype(float))


def kept_in_place(table, of):
    """Whether a table that crosses the seam lies in the memory of another."""
    columns = table if isinstance(table, list) else [table]
    return all(np.shares_memory(column, of) for column in columns)


def test_what_is_not_copied(gaps):
    X = gaps[0]
    for matrix in (X, np.asfortranarray(X), X.astype(np.float32)):
        frame = pd.DataFrame(matrix)
        arrow = pa.table({str(at): np.asfortranarray(matrix)[:, at] for at in range(5)})
        columns = [column.chunk(0).to_numpy() for column in arrow.columns]
        for given, memory in ((matrix, matrix), (frame, frame.to_numpy())):
            raw = read_table(given)
            table = TableSchema.learn(raw, None, np.nan).table(raw)
            assert kept_in_place(table, memory)
        raw = read_table(arrow)
        table = TableSchema.learn(raw, None, np.nan).table(raw)
        assert all(map(np.shares_memory, table, columns))


def test_every_kind_of_frame_gives_the_same_trees(mixed):
    frame, y = mixed
    model = quick().fit(frame, y)
    assert model.score(frame, y) > 0.95
    assert model.feature_names_in_.tolist() == list(frame.columns)
    nullable = frame.convert_dtypes(dtype_backend="numpy_nullable")
    arrow_backed = frame.convert_dtypes(dtype_backend="pyarrow")
    text = frame.assign(key=frame["key"].astype(str))
    as_objects = frame.assign(key=frame["key"].astype(object))
    table = pa.Table.from_pandas(frame)
    chunked = pa.concat_tables([table[:100], table[100:]])
    plain = pa.Table.from_pandas(text)
    reader = plain.to_reader
    for other in (nullable, arrow_backed, text, as_objects, table, chunked, plain):
        assert bits(model, other) == bits(model, frame)
        assert bits(quick().fit(other, y), frame) == bits(model, frame)
    assert bits(model, reader()) == bits(model, frame)


def test_polars(mixed):
    polars = pytest.importorskip("polars")
    frame, y = mixed
    model, table = quick().fit(frame, y), polars.from_pandas(frame)
    for kind in (polars.String, polars.Categorical, polars.Enum(LETTERS.tolist())):
        other = table.with_columns(polars.col("key").cast(kind))
        assert bits(quick().fit(other, y), frame) == bits(model, other) == bits(model, frame)
    assert bits(model, polars.concat([table[:9], table[9:]], rechunk=False)) == bits(model, frame)


def test_missing_in_every_kind_of_column(mixed):
    frame, y = mixed
    model, gone = quick().fit(frame, y), np.arange(600) % 3 == 0
    frame = frame.astype({"count": float, "loud": float})
    frame[gone] = np.nan
    expected = bits(model, frame)
    nullable = frame.convert_dtypes(dtype_backend="numpy_nullable")
    nullable = nullable.astype({"loud": "boolean", "count": "Int8", "energy": "Float32"})
    arrow = pa.Table.from_pandas(frame.convert_dtypes(dtype_backend="pyarrow"))
    as_objects = frame.astype(object).where(frame.notna(), None)
    plain = pa.Table.from_pandas(frame.assign(key=frame["key"].astype(object)))
    for other in (nullable, arrow, as_objects, plain):
        if other is nullable:
            exact = frame.assign(energy=frame["energy"].astype(np.float32))
            assert bits(model, other) == bits(model, exact)
        else:
            assert bits(model, other) == expected
    nothing = pa.table({name: pa.nulls(2) for name in frame.columns})
    assert np.ptp(model.decision_function(nothing)) == 0


def test_categories_of_any_order_and_unseen_ones(mixed):
    frame, y = mixed
    model = quick().fit(frame, y)
    shuffled = frame["key"].cat.set_categories(["z", "other", "yy", "w", "x"])
    assert bits(model, frame.assign(key=shuffled)) == bits(model, frame)
    assert bits(quick().fit(frame.assign(key=shuffled), y), frame) == bits(model, frame)
    unseen = frame.assign(key=shuffled.where(shuffled != "x", "other"))
    missing = frame.assign(key=frame["key"].where(frame["key"] != "x"))
    assert bits(model, unseen) == bits(model, missing) != bits(model, frame)


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 10, 7],
        [0.5, -1.0, 2.5, 1e300],
        [True, False, True, False],
        pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01", "2023-01-01"]),
        [("a", 1), "b", 3.5, frozenset()],
    ],
    ids=["integers", "numbers", "booleans", "days", "anything"],
)
def test_labels_of_any_type(labels, mixed):
    frame, y = mixed
    codes = np.searchsorted(LETTERS, frame["key"].astype(str))
    values = np.empty(4, dtype=object)
    values[:] = list(labels)
    key = pd.Series(pd.Categorical(values[codes]))
    model = quick().fit(frame.assign(key=key), y)
    schema = model.table_schema_
    assert schema.categorical[-1] and len(schema.categories[-1]) == len(set(labels))
    if len(set(labels)) == 4:
        assert model.score(frame.assign(key=key), y) > 0.95


def test_categories_by_name_number_or_mask(mixed):
    frame, y = mixed
    model = quick().fit(frame, y)
    for named in (["key"], [4], [False] * 4 + [True], np.arange(5) == 4):
        assert bits(quick(categorical_features=named).fit(frame, y), frame) == bits(model, frame)
    array = frame.to_numpy(dtype=object)
    by_hand = quick(categorical_features=[4]).fit(array, y)
    assert bits(by_hand, array) == bits(model, frame)
    assert (
        by_hand.predict_proba_row(array[3].tolist()) == model.predict_proba(frame[3:4]).tolist()[0]
    )
    codes = frame.assign(key=frame["key"].cat.codes.astype(float) * 7 - 3)
    by_value = quick(categorical_features=["key"]).fit(codes, y)
    assert by_value.table_schema_.categories[-1] is None
    assert bits(by_value, codes) == bits(model, frame)
    assert quick(categorical_features=None).fit(codes, y).table_schema_.categorical == (False,) * 5


def test_more_categories_than_bins():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 65_536, size=70_000)
    codes[:20_000] %= 100
    frame = pd.DataFrame({"id": pd.Categorical(codes), "noise": rng.normal(size=70_000)})
    model = quick().fit(frame, codes % 2)
    # Only categories that have a bin are kept, in the model and in its file.
    assert len(model.table_schema_.categories[0]) == 255
    assert set(model.table_schema_.categories[0]) >= set(range(100))
    assert len(pickle.dumps(model)) < 50_000
    # The hundred frequent categories have bins of their own; the others count as missing.
    assert model.score(frame[:20_000], codes[:20_000] % 2) == 1
    assert model.core_model_.arrays()["bin_offsets"].tolist()[1] == 255


@pytest.mark.parametrize("missing", [-999, -999.0, np.float32(-999)])
def test_another_value_may_mean_missing(missing, gaps):
    X, y = gaps
    model = quick().fit(X, y)
    filled = np.where(np.isnan(X), -999.0, X)
    for table in (filled, np.asfortranarray(filled.astype(np.float32)), pd.DataFrame(filled)):
        exact = np.where(np.isnan(X), np.nan, np.asarray(table, dtype=float))
        other = quick(missing=missing).fit(table, y)
        assert bits(other, table) == bits(quick().fit(exact, y), exact)
    assert bits(other, X) == bits(model, X)
    assert (filled == -999).any()


def test_text_may_mean_missing(mixed):
    frame, y = mixed
    text = frame["key"].astype(str)
    marked = frame.assign(key=text.where(text != "w", "?"))
    gone = frame.assign(key=frame["key"].where(frame["key"] != "w"))
    model = quick(missing="?").fit(marked, y)
    assert model.table_schema_.categories[-1] == ["x", "yy", "z"]
    assert bits(model, marked) == bits(quick().fit(gone, y), gone)
    assert model.predict_proba_row([0, 0, 0, 0, "?"]) == model.predict_proba_row([0, 0, 0, 0, None])


def test_wrong_tables_say_what_is_wrong(mixed):
    frame, y = mixed
    model = quick().fit(frame, y)
    for other, says in (
        (frame.rename(columns={"key": "mode"}), "feature names should match"),
        (pa.Table.from_pandas(frame).drop_columns(["key"]), "feature names should match"),
        (frame[:0], r"Found array with 0 sample\(s\)"),
        (frame.assign(key=1.0), r"column 'key' held categories such as 'w' in training, got 1.0"),
        (frame.assign(tempo="fast"), "column 'tempo' must hold numbers, got 'fast'"),
    ):
        with pytest.raises(ValueError, match=says):
            model.predict(other)
    day = pd.to_datetime(["2020-01-01"] * 600)
    for table in (frame.assign(day=day), pa.Table.from_pandas(frame.assign(day=day))):
        with pytest.raises(TypeError, match="column 'day' must hold numbers or categories, got"):
            quick().fit(table, y)
    with pytest.raises(ValueError, match=r"column 'key' must hold numbers, got 'w'; text is taken"):
        quick(categorical_features=None).fit(frame, y)
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        quick().fit(frame[[]], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit(frame, y[:-1])
    text = np.array([["a"], ["b"]])
    with pytest.raises(ValueError, match="column 0 must hold numbers, got 'a'"):
        quick(categorical_features=None).fit(text, [0, 1])


def test_the_core_refuses_tables_that_do_not_fit(gaps):
    X, y = gaps
    model = quick().fit(X, y).core_model_
    isa = _core.instruction_sets()[0]
    for table in (X[:, :2].copy(), [X[:, 0].copy()] * 6):
        with pytest.raises(ValueError, match="features"):
            model.margins(table, instructions=isa)
    with pytest.raises(ValueError, match="equal length"):
        model.margins([np.zeros(3), np.zeros(4)] + [np.zeros(3)] * 3, instructions=isa)
    with pytest.raises(ValueError, match="contiguous"):
        model.margins(X[::2], instructions=isa)
    for rounds in ({"first": 11}, {"first": 3, "last": 2}, {"last": 11}):
        with pytest.raises(ValueError, match=r"rounds must be within 0\.\.10"):
            model.margins(X, **rounds, instructions=isa)
    for n_classes in (0, 1, 2, 4):
        with pytest.raises(ValueError, match=f"{n_classes} classes have another number of outputs"):
            model.probabilities(X, n_classes, instructions=isa)
    with pytest.raises(ValueError, match=r"start must be of shape \(\d+, 3\), got \(1, 3\)"):
        model.probabilities(X, 3, start=np.zeros((1, 3)), instructions=isa)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.margins(X[:0], instructions=isa).shape == (0, 3)
        assert model.probabilities(X[:0], 3, instructions=isa).shape == (0, 3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_the_margins_to_the_bit(gaps, n_classes):
    X, y = gaps
    model = quick(n_jobs=2).fit(X, y % n_classes)
    for base_margin in (None, np.full(len(X), 0.5) if n_classes == 2 else np.eye(3)[y % 3]):
        margins = model.decision_function(X, base_margin=base_margin).reshape(len(X), -1)
        expected = _core.gbt_probabilities(margins, n_classes)
        assert np.array_equal(model.predict_proba(X, base_margin=base_margin), expected)


def test_a_plain_matrix_passes_the_short_way_only_where_nothing_is_to_be_said():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.integers(0, 2, 300)
    model = quick().fit(X, y)
    for kind in (np.float32, np.float64):
        own = X.astype(kind)
        assert validate_table(model, own, reset=False).matrix is own
        assert bits(model, own) == bits(model, own.astype(">" + own.dtype.str[1:]))
    assert bits(model, X) == bits(model, X.tolist())
    with pytest.raises(ValueError, match="has 2 features, but GBT is expecting 3"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(X[:0])
    named = quick().fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        named.predict(X)
