"""Tables of every library are read alike by every classifier and transformer."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from moodcore import GBT, MLP, SVM, LinearSVM
from moodcore.estimators.table_columns import Categories, ColumnError
from moodcore.estimators.tables import read_table, to_frame
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns

N = 60


def as_decimal(value):
    return None if value is None else decimal.Decimal(str(value))


@pytest.fixture(scope="module")
def columns():
    """One table as lists of Python values, None where they are missing."""
    random = np.random.default_rng(0)
    columns = {
        "energy": [round(value, 3) for value in random.normal(size=N)],
        "tempo": [None if at % 7 == 0 else float(at % 11) for at in range(N)],
        "count": random.integers(-5, 5, N).tolist(),
        "loud": [None if at % 13 == 0 else at % 3 == 0 for at in range(N)],
        "price": [round(value, 2) for value in random.uniform(0, 9, N)],
        "key": [None if at % 9 == 0 else "CDEF"[at % 4] for at in range(N)],
        "empty": [None] * N,
    }
    return columns, np.arange(N) % 4 < 2


def numpy_of(columns):
    return np.array(list(columns.values()), dtype=object).T


def pandas_of(columns):
    return pd.DataFrame(columns)


def arrow_of(columns):
    return pa.table(columns)


def polars_of(columns):
    return pl.DataFrame(columns)


class ArrowStream:
    """A table that has nothing but the Arrow stream interface, as relations of DuckDB."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class ArrowBatch:
    """A table that has nothing but the Arrow array interface."""

    def __init__(self, table):
        self.batch = table.combine_chunks().to_batches()[0]

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


def with_key(frame, dtype):
    return frame.assign(key=frame["key"].astype(dtype))


def pandas_sparse(columns):
    frame = pd.DataFrame(columns)
    return frame.assign(
        count=frame["count"].astype(pd.SparseDtype(np.int64, 0)),
        tempo=frame["tempo"].astype(pd.SparseDtype(np.float64)),
    )


def arrow_with(columns, **types):
    table = arrow_of(columns)
    for name, kind in types.items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(kind))
    return table


def chunked(columns):
    table = arrow_with(columns, key=pa.dictionary(pa.int8(), pa.string()))
    return pa.concat_tables([table[:7], table[7:7], table[7:40].combine_chunks(), table[40:]])


def decimals(columns):
    return columns | {"price": [as_decimal(value) for value in columns["price"]]}


CONTAINERS = {
    "objects": numpy_of,
    "lists": lambda columns: numpy_of(columns).tolist(),
    "pandas": pandas_of,
    "pandas of objects": lambda columns: pandas_of(columns).astype(object),
    "pandas nullable": lambda columns: pandas_of(columns).convert_dtypes(),
    "pandas of Arrow": lambda columns: pandas_of(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas categorical": lambda columns: with_key(
        pandas_of(columns), pd.CategoricalDtype(["F", "x", "C", "E", "D"], ordered=True)
    ),
    "pandas string": lambda columns: with_key(pandas_of(columns), "string"),
    "pandas decimal": lambda columns: pandas_of(decimals(columns)),
    "pandas sparse": pandas_sparse,
    "Arrow": arrow_of,
    "Arrow chunks": chunked,
    "Arrow string view": lambda columns: arrow_with(columns, key=pa.string_view()),
    "Arrow large string": lambda columns: arrow_with(columns, key=pa.large_string()),
    "Arrow decimal": lambda columns: arrow_with(decimals(columns), price=pa.decimal128(9, 2)),
    "Arrow decimal256": lambda columns: arrow_with(decimals(columns), price=pa.decimal256(40, 2)),
    "Arrow record batch": pa.record_batch,
    "Arrow stream": lambda columns: ArrowStream(arrow_of(columns)),
    "Arrow array": lambda columns: ArrowBatch(arrow_of(columns)),
    "Arrow reader": lambda columns: arrow_of(columns).to_reader(),
    "Polars": polars_of,
    "Polars categorical": lambda columns: polars_of(columns).with_columns(
        pl.col("key").cast(pl.Categorical)
    ),
    "Polars enum": lambda columns: polars_of(columns).with_columns(
        pl.col("key").cast(pl.Enum(["F", "C", "other", "D", "E"]))
    ),
    "Polars decimal": lambda columns: polars_of(decimals(columns)),
    "Polars int128": lambda columns: polars_of(columns).with_columns(
        pl.col("count").cast(pl.Int128)
    ),
}
NAMELESS = {"objects", "lists"}


def contents(X):
    """Names, kinds and values of a table."""
    raw = read_table(X)
    values = []
    for column in raw.as_columns():
        if isinstance(column, Categories):
            labels = np.array([*column.values, None], dtype=object)
            values.append(labels[column.codes].tolist())
        else:
            values.append([None if np.isnan(value) else float(value) for value in column])
    return raw.names, raw.kinds, values


@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_same_table_in_every_container(kind, columns):
    values, _ = columns
    names, kinds, read = contents(CONTAINERS[kind](values))
    assert names == (None if kind in NAMELESS else tuple(values))
    assert [*kinds[:6]] == ["number"] * 5 + ["category"]
    truth = [None if value is None else float(value) for value in values["loud"]]
    assert read == [*(truth if name == "loud" else values[name] for name in values)]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_same_trees_from_every_container(kind, columns):
    values, y = columns
    reference = GBT(5, random_state=0, min_child_samples=2).fit(pandas_of(values), y)
    expected = reference.decision_function(pandas_of(values)).tobytes()
    model = GBT(5, random_state=0, min_child_samples=2).fit(CONTAINERS[kind](values), y)
    assert model.dump() == reference.dump() or kind in NAMELESS
    # A stream of batches can be read once.
    assert model.decision_function(CONTAINERS[kind](values)).tobytes() == expected
    if kind not in NAMELESS:
        assert reference.decision_function(CONTAINERS[kind](values)).tobytes() == expected


NUMBERS = {
    "C order": lambda columns: numpy_of(columns).astype(float),
    "F order": lambda columns: np.asfortranarray(numpy_of(columns).astype(float)),
    "other bytes": lambda columns: numpy_of(columns).astype(">f8"),
    "masked": lambda columns: np.ma.masked_array(numpy_of(columns).astype(float)),
    "objects": numpy_of,
    "lists": lambda columns: numpy_of(columns).tolist(),
    "pandas": pandas_of,
    "pandas floats": lambda columns: pandas_of(columns).astype(float),
    "pandas of objects": lambda columns: pandas_of(columns).astype(object),
    "pandas nullable": lambda columns: pandas_of(columns).convert_dtypes(),
    "pandas of Arrow": lambda columns: pandas_of(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas sparse": lambda columns: pandas_of(columns).astype(pd.SparseDtype(np.float64, 0)),
    "Arrow": arrow_of,
    "Arrow stream": lambda columns: ArrowStream(arrow_of(columns)),
    "Arrow array": lambda columns: ArrowBatch(arrow_of(columns)),
    "Arrow record batch": pa.record_batch,
    "Arrow reader": lambda columns: arrow_of(columns).to_reader(),
    "Polars": polars_of,
}
LEARNERS = {
    "BalancedClassifier of GBT": lambda: BalancedClassifier(GBT(3, random_state=0), random_state=0),
    "BalancedClassifier of scikit-learn's": lambda: BalancedClassifier(
        LogisticRegression(), random_state=0
    ),
    "MLP": lambda: MLP((4,), epochs=2, random_state=0),
    "SVM": SVM,
    "LinearSVM": lambda: LinearSVM(random_state=0),
    "SelectColumns": SelectColumns,
    "SelectColumns by position": lambda: SelectColumns([1, 0]),
    "CorrelationFilter": lambda: CorrelationFilter(0.2),
}


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_the_same_numbers_from_every_container(learner, kind, columns):
    values, y = columns
    table = {name: values[name] for name in ("energy", "count", "price")}
    table["loud"] = [bool(value) for value in values["loud"]]
    results = []
    for build in (NUMBERS["C order"], NUMBERS[kind]):
        model = LEARNERS[learner]().fit(build(table), y)
        X = build(table)
        results.append(model.transform(X) if hasattr(model, "transform") else model.predict(X))
    assert np.array_equal(*results)


@pytest.mark.parametrize("kind", sorted(set(CONTAINERS) - NAMELESS))
def test_columns_are_selected_by_name_from_every_container(kind, columns):
    values, _ = columns
    select = SelectColumns(["price", "energy"]).fit(pandas_of(values))
    X = select.transform(CONTAINERS[kind](values))
    assert X.T.tolist() == [values["price"], values["energy"]]


REFUSED = {
    "date": [datetime.date(2020, 1, 2), None],
    "datetime": [datetime.datetime(2020, 1, 2), None],
    "duration": [datetime.timedelta(1), None],
    "time": [datetime.time(1), None],
    "bytes": [b"x", None],
    "list": [[1, 2], None],
    "struct": [{"a": 1}, None],
}
PANDAS_ONLY = {
    "period": pd.period_range("2020", periods=2, freq="D"),
    "interval": pd.interval_range(0, 2),
    "complex": np.array([1j, 2]),
    "timezone": pd.date_range("2020", periods=2, tz="UTC"),
    "mixed": [1, "a"],
    "mixed truth": [True, "a"],
    "tuple": [(1, 2), None],
}


def refused_tables():
    for name, values in REFUSED.items():
        yield f"pandas {name}", pd.DataFrame({"a": [1, 2], "odd": values})
        yield f"objects {name}", np.array([[1, values[0]], [2, None]], dtype=object)
        yield f"Polars {name}", pl.DataFrame({"a": [1, 2], "odd": values})
        table = pa.table({"a": [1, 2], "odd": values})
        yield f"Arrow {name}", table
        yield f"Arrow stream {name}", ArrowStream(table)
        backed = pd.arrays.ArrowExtensionArray(table["odd"])
        yield f"pandas of Arrow {name}", pd.DataFrame({"a": [1, 2], "odd": backed})
    for name, values in PANDAS_ONLY.items():
        frame = pd.DataFrame({"a": [1, 2], "odd": values})
        yield f"pandas {name}", frame
        if not isinstance(values, np.ndarray):
            yield f"objects {name}", frame.to_numpy(dtype=object)
    interval = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
    yield "Arrow interval", pa.table({"a": [1, 2], "odd": interval})


REFUSED_TABLES = dict(refused_tables())


@pytest.mark.parametrize("kind", REFUSED_TABLES)
def test_columns_that_are_neither_numbers_nor_categories_are_refused(kind):
    X = REFUSED_TABLES[kind]
    where = 1 if kind.startswith("objects") else "odd"
    says = f"column '?{where}'? must hold .*; .*"
    if not (kind.startswith("objects")):
        with pytest.raises(ColumnError, match=says):
            to_frame(X)
        assert list(to_frame(X, strict=False)) == ["a", "odd"]
    with pytest.raises(ColumnError, match=says):
        read_table(X)
    for make in LEARNERS.values():
        if isinstance(make(), BalancedClassifier):
            continue
        with pytest.raises(ColumnError, match=says):
            make().fit(X, [0, 1])
    with pytest.raises(ColumnError, match=says):
        GBT(1).fit(X, [0, 1])


def test_the_first_value_that_does_not_fit_is_named():
    frame = pd.DataFrame({"a": [None, 1.5, np.nan, "x", 2]}, dtype=object)
    with pytest.raises(ColumnError, match=r"column 'a' .* got 1.5 in row 1 and 'x' in row 3"):
        read_table(frame)
    frame = pd.DataFrame({"a": ["x", None, {}]}, dtype=object)
    with pytest.raises(ColumnError, match=r"column 'a' .* got dict in row 2; make a column of"):
        read_table(frame)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros(2, dtype=[("a", float), ("b", float)]), r"structured array .* pandas.DataFrame"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), "number of days since"),
        (np.array([["2020-01-01"]], dtype="M8[D]") - np.datetime64("2020"), "number of seconds"),
        (np.array([[b"a"]]), "decode it to text"),
        (pl.LazyFrame({"a": [1]}), r"use X.collect\(\)"),
    ],
    ids=["structured", "dates", "durations", "bytes", "lazy"],
)
def test_what_is_no_table_says_what_to_do(X, says):
    for read in (read_table, to_frame, *(make().fit for make in LEARNERS.values())):
        with pytest.raises(TypeError, match=says):
            read(X) if read in (read_table, to_frame) else read(X, [0])


@pytest.mark.parametrize("series", [pd.Series([1, 2]), pl.Series([1, 2]), pa.array([1, 2])])
def test_a_column_is_no_table(series):
    with pytest.raises(ValueError, match="Expected"):
        GBT().fit(series, [0, 1])


def test_names_that_come_twice_are_refused():
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    table = pa.table([pa.array([1, 2])] * 2, names=["a", "a"])
    for X in (frame, table, ArrowStream(table)):
        with pytest.raises(ValueError, match="'a' is the name of more than one column"):
            GBT().fit(X, [0, 1])
        with pytest.raises(ValueError, match="'a' is the name of more than one column"):
            to_frame(X)


def test_masked_values_are_missing():
    X = np.ma.masked_equal(np.array([[1, 2], [3, 4]]), 4)
    assert read_table(X).matrix.tolist()[0] == [1, 2]
    assert np.isnan(read_table(X).matrix[1, 1])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.coo_matrix])
def test_missing_values_of_sparse_matrices_stay(kind):
    X = np.array([[0, np.nan], [1, 0.0]])
    with pytest.warns(UserWarning, match="sparse X"):
        assert np.array_equal(read_table(kind(X)).matrix, X, equal_nan=True)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_frames_keep_their_values(kind, columns):
    values, _ = columns
    frame = to_frame(CONTAINERS[kind](values))
    names = [f"x{at}" for at in range(len(values))] if kind in NAMELESS else list(values)
    assert list(frame) == names
    for name, expected in zip(names, values.values(), strict=True):
        missing = [value is None for value in expected]
        assert frame[name].isna().tolist() == missing
        is_decimal = name == "price" and "decimal" in kind
        given = [None if gone else value for gone, value in zip(missing, frame[name], strict=True)]
        assert given == ([*map(as_decimal, expected)] if is_decimal else expected)


def test_frames_of_pandas_stay_where_they_are():
    frame = pd.DataFrame({"a": [1, 2], 3: [0.5, 1]}, index=[7, 9])
    assert to_frame(frame).columns.tolist() == ["a", "3"]
    assert to_frame(frame).index.tolist() == [7, 9]
    plain = frame.set_axis(["a", "b"], axis=1)
    assert to_frame(plain) is plain
    frame = pd.DataFrame({"a": [1]}, index=[5])
    frame.attrs["synthetic"] = True
    arrow = to_frame(pa.Table.from_pandas(frame))
    assert arrow.attrs == {"synthetic": True}
    assert arrow.index.tolist() == [0]
    assert to_frame({"a": [1, 2], "b": ["x", "y"]}).shape == (2, 2)
