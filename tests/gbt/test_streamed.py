"""Training from files: the same bytes as in memory, and errors that name the place."""

import signal

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moodcore import GBT
from moodcore.estimators import batch_parts

QUICK = {"n_estimators": 4, "max_leaves": 6, "min_child_samples": 2, "random_state": 0}


def make_table(n_rows=700, seed=0, n_classes=3):
    """Return a table with columns of all kinds, labels and weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    missing = rng.random(n_rows) < 0.1
    city = rng.integers(0, 300, n_rows)
    labels = np.digitize(x + (city % 3) + 0.3 * rng.normal(size=n_rows), [0.5, 1.5])
    return pa.table(
        {
            "x": pa.array(x, mask=missing),
            "short": pa.array(rng.normal(size=n_rows).astype(np.float32)),
            "code": pa.array(rng.integers(-5, 400, n_rows), mask=rng.random(n_rows) < 0.05),
            "labels": pa.array([("low", "mid", "top")[label] for label in labels % n_classes]),
            "city": pa.array([None if c % 17 == 3 else f"city {c}" for c in city]),
            "size": pa.array([("S", "M", "L")[c % 3] for c in city]).dictionary_encode(),
            "flag": pa.array(rng.random(n_rows) < 0.5),
            "w": pa.array(rng.integers(0, 4, n_rows).astype(float)),
            "share": pa.array(rng.random(n_rows) * (rng.random(n_rows) < 0.9)),
        }
    )


FEATURES = ["x", "short", "code", "city", "size", "flag"]


def in_memory(model, table, weight=None, **options):
    weights = None if weight is None else table[weight].to_numpy()
    labels = table["labels"].to_numpy()
    return model.fit(table.select(FEATURES), labels, weights, **options)


def write(folder, table, n_files, rows_per_group):
    """Write a table as files, cut at uneven places."""
    folder.mkdir(exist_ok=True)
    cuts = np.linspace(0, len(table) ** 0.5, n_files + 1) ** 2
    for at in range(n_files):
        start, end = round(cuts[at]), round(cuts[at + 1])
        part = table.slice(start, end - start)
        pq.write_table(part, folder / f"part-{at:03}.parquet", row_group_size=rows_per_group)
    return folder


def saved(model, path):
    model.save(path)
    return path.read_bytes()


def features_only(table, weight):
    """Return the table without the weights that are not used."""
    return table.drop_columns([name for name in ("w", "share") if name != weight])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    n_rows=st.integers(40, 900),
    n_files=st.integers(1, 4),
    rows_per_group=st.integers(15, 1000),
    batch_rows=st.integers(11, 1000),
    weight=st.sampled_from([None, "w", "share"]),
    params=st.sampled_from(
        [
            {},
            {"categorical_features": ["code", "city", "size"], "max_bin": 40},
            {"class_weight": "balanced", "subsample": 0.7, "colsample_bynode": 0.5},
            {"class_weight": {"low": 0.0, "mid": 2.0, "top": 0.5}, "max_bin": 20},
            {"early_stopping_rounds": 2, "n_estimators": 8},
            {"validation_fraction": 0.3, "missing": 3.0},
            {"n_estimators": "auto", "max_leaves": "auto", "min_child_samples": "auto"},
        ]
    ),
    n_classes=st.integers(2, 3),
)
def test_the_same_bytes_as_in_memory(
    n_rows, n_files, rows_per_group, batch_rows, weight, params, n_classes, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("streamed")
    table = make_table(n_rows, seed=n_rows, n_classes=n_classes)
    model = GBT(**{**QUICK, "categorical_features": "from_dtype", **params})
    files = write(folder / "files", features_only(table, weight), n_files, rows_per_group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_parts, "BATCH_ROWS", batch_rows)
        expected = saved(in_memory(model, table, weight), folder / "memory.safetensors")
        streamed = model.fit(files, "labels", weight)
        assert saved(streamed, folder / "streamed.safetensors") == expected


@pytest.fixture
def small(tmp_path):
    """Return a table without weights, and the folder with its two files."""
    table = features_only(make_table(300), None)
    return table, write(tmp_path / "files", table, 2, 70)


def model(**params):
    return GBT(**{**QUICK, "categorical_features": "from_dtype", **params})


def forms(table, folder):
    """Return one table in all forms that `fit` streams."""
    return {
        "folder": folder,
        "pattern": str(folder / "*.parquet"),
        "dataset": ds.dataset(folder),
        "tables in memory": ds.dataset(table),
        "callable": lambda: iter(table.to_batches(max_chunksize=31)),
        "callable of tables": lambda: iter([table.slice(0, 100), table.slice(100)]),
    }


def test_all_forms_of_tables(small, tmp_path):
    table, folder = small
    expected = saved(in_memory(model(), table), tmp_path / "memory.safetensors")
    for data in forms(table, folder).values():
        assert saved(model().fit(data, "labels"), tmp_path / "streamed.safetensors") == expected
    pq.write_table(table, tmp_path / "single.parquet")
    for path in (tmp_path / "single.parquet", str(tmp_path / "single.parquet")):
        assert saved(model().fit(path, y="labels"), tmp_path / "file.safetensors") == expected


@pytest.mark.parametrize("kind", [pa.string(), pa.int16(), pa.dictionary(pa.int32(), pa.string())])
def test_names_of_folders_are_columns(kind, tmp_path):
    table = features_only(make_table(300), None)
    part = pa.array(np.arange(300) % 4).cast(pa.string()).cast(kind)
    table = table.append_column("part", part)
    by_part = ds.partitioning(pa.schema([("part", kind)]), flavor="hive")
    ds.write_dataset(table, tmp_path, format="parquet", partitioning=by_part)
    inferred = {"dictionaries": "infer"} if pa.types.is_dictionary(kind) else {}
    flavor = ds.partitioning(by_part.schema, flavor="hive", **inferred)
    dataset = ds.dataset(tmp_path, format="parquet", partitioning=flavor)
    rows = dataset.to_table()
    expected = model().fit(rows.drop_columns(["labels"]), rows["labels"].to_numpy())
    streamed = model().fit(dataset, "labels")
    assert saved(streamed, tmp_path / "streamed") == saved(expected, tmp_path / "memory")


def test_a_filter_of_a_dataset_counts(small, tmp_path):
    table, folder = small
    only = pa.compute.field("size") != "M"
    streamed = model().fit(ds.dataset(folder).filter(only), "labels")
    expected = in_memory(model(), table.filter(only))
    assert saved(streamed, tmp_path / "streamed") == saved(expected, tmp_path / "memory")


def test_ctrl_c_ends_reading(small):
    table, _ = small
    n_batches = 0

    def endless():
        nonlocal n_batches
        for _ in range(1_000_000):
            n_batches += 1
            if n_batches == 20:
                signal.raise_signal(signal.SIGINT)
            yield table

    with pytest.raises(KeyboardInterrupt):
        model().fit(endless, "labels")
    assert n_batches < 30


def test_text_that_is_encoded_file_by_file(tmp_path):
    table = features_only(make_table(300), None)
    expected = saved(in_memory(model(), table), tmp_path / "memory.safetensors")

    def encoded():
        for batch in table.to_batches(max_chunksize=40):
            at = batch.schema.get_field_index("city")
            yield batch.set_column(at, "city", batch.column(at).dictionary_encode())

    assert saved(model().fit(encoded, "labels"), tmp_path / "streamed.safetensors") == expected


@pytest.mark.parametrize("weight", [None, "w", "share"])
@pytest.mark.parametrize("form", ["eval_set", "X_val"])
def test_early_stopping_on_held_out_files(weight, form, tmp_path):
    table, held = make_table(400, seed=1), make_table(200, seed=2)
    folder = write(tmp_path / "train", features_only(table, weight), 3, 50)
    held_folder = write(tmp_path / "held", held, 2, 30)
    stopping = model(n_estimators=60, early_stopping_rounds=2, learning_rate=0.5)
    labels = held["labels"].to_numpy()
    weights = None if weight is None else held[weight].to_numpy()
    in_files, memory = (held_folder, "labels"), (held.select(FEATURES), labels)
    if form == "eval_set":
        memory_options = {"eval_set": [memory], "sample_weight_eval_set": [weights]}
        options = {"eval_set": [in_files], "sample_weight_eval_set": [weight]}
    else:
        memory_options = {"X_val": memory[0], "y_val": labels, "sample_weight_val": weights}
        options = {"X_val": held_folder, "y_val": "labels", "sample_weight_val": weight}
    expected = in_memory(stopping, table, weight, **memory_options)
    assert 0 < expected.n_iter_ < 60
    expected = saved(expected, tmp_path / "memory.safetensors")
    streamed = stopping.fit(folder, "labels", weight, **options)
    assert saved(streamed, tmp_path / "streamed.safetensors") == expected
    mixed = stopping.fit(folder, "labels", weight, **memory_options)
    assert saved(mixed, tmp_path / "mixed.safetensors") == expected
    with pytest.raises(TypeError, match="must be a table in memory, because the training data are"):
        in_memory(stopping, table, weight, **options)


def test_training_that_continues(small, tmp_path):
    table, folder = small
    first = in_memory(model(), table.slice(0, 200))
    labels = table["labels"].to_numpy()
    expected = model().fit(table.select(FEATURES), labels, init_model=first)
    streamed = model().fit(folder, "labels", init_model=first)
    assert saved(streamed, tmp_path / "a") == saved(expected, tmp_path / "b")
    warm = model(warm_start=True).fit(folder, "labels").set_params(n_estimators=7)
    again = in_memory(model(warm_start=True), table).set_params(n_estimators=7)
    again.fit(table.select(FEATURES), labels)
    assert saved(warm.fit(folder, "labels"), tmp_path / "c") == saved(again, tmp_path / "d")


def test_a_table_larger_than_the_sample(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = 300_000
    columns = {f"x{at}": rng.normal(size=n_rows) for at in range(3)}
    y = np.digitize(columns["x0"] + rng.normal(size=n_rows), [-0.5, 0.5])
    table = pa.table({**columns, "y": y, "w": rng.integers(0, 3, n_rows)})
    pq.write_table(table, tmp_path / "large.parquet", row_group_size=77_777)
    params = {"n_estimators": 2, "max_leaves": 6, "random_state": 0}
    for options in ({}, {"validation_fraction": 0.1}, {"n_estimators": "auto"}):
        estimator = GBT(**{**params, **options})
        X, weight = table.select(list(columns)), table["w"].to_numpy()
        expected = saved(estimator.fit(X, y, weight), tmp_path / "memory")
        streamed = estimator.fit(tmp_path / "large.parquet", "y", "w")
        assert saved(streamed, tmp_path / "streamed") == expected


def test_progress_of_reading(small, capsys):
    class Reader:
        def __init__(self):
            self.seen = []

        def __call__(self, record):
            self.seen.append(record["iteration"])

        def on_reading(self, record):
            self.seen.append((record["reading"], record["rows"], record["n_rows"]))

    _, folder = small
    reader = Reader()
    model(verbose=1, callbacks=[reader], n_estimators=2).fit(folder, "labels")
    phases = [entry[0] for entry in reader.seen if isinstance(entry, tuple)]
    assert list(dict.fromkeys(phases)) == ["labels", "cut points", "bins"]
    assert ("bins", 300, 300) in reader.seen
    assert reader.seen[-2:] == [0, 1]
    printed = capsys.readouterr().out
    assert "the training data: cut points: 300 of 300 rows" in printed
    assert "iteration 1:" in printed


class Stopped(Exception):
    """Raised by a test."""


@pytest.mark.parametrize("phase", ["labels", "cut points", "bins"])
def test_a_fit_that_stops_while_it_reads_leaves_the_model(small, phase):
    table, folder = small

    class Stop:
        def __call__(self, record):
            pass

        def on_reading(self, record):
            if record["reading"] == phase:
                raise Stopped

    fitted = in_memory(model(), table)
    before = fitted.predict_proba(table.select(FEATURES))
    fitted.callbacks = [Stop()]
    with pytest.raises(Stopped):
        fitted.fit(folder, "labels")
    assert (fitted.predict_proba(table.select(FEATURES)) == before).all()


def replaced(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, values)


def with_null(table, name, row):
    values = table[name].to_pylist()
    values[row] = None
    return replaced(table, name, pa.array(values, table.schema.field(name).type))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: with_null(t, "labels", 75), r"part-001.parquet, row group 1: the label column "
         r"'labels' must not have missing values, got one in row 225 of the table"),
        (lambda t: with_null(t, "w", 3), r"part-001.parquet, row group 0: the weight column 'w' "
         r"must be finite and at least 0, got nan in row 153 of the table"),
        (lambda t: replaced(t, "w", pa.array([-1.0] * 150)), r"part-001.*got -1.0 in row 150"),
        (lambda t: t.drop_columns(["short"]), r"part-001.parquet: missing column: 'short'"),
        (lambda t: replaced(t, "x", t["x"].cast(pa.float32())), r"part-001.parquet: column 'x' "
         r"must be of the type of the first file, double, got float"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named(change, message, tmp_path):
    table = make_table(300).drop_columns(["share"])
    pq.write_table(table.slice(0, 150), tmp_path / "part-000.parquet", row_group_size=70)
    pq.write_table(change(table.slice(150)), tmp_path / "part-001.parquet", row_group_size=70)
    with pytest.raises(ValueError, match=message):
        model().fit(tmp_path, "labels", "w")


@pytest.mark.parametrize("place", ["label page", "feature page", "footer"])
def test_a_damaged_file_is_named(place, small):
    table, folder = small
    path = folder / "part-001.parquet"
    content = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(1)
    column = group.column(table.schema.names.index("labels" if place == "label page" else "short"))
    start = len(content) - 8 if place == "footer" else column.dictionary_page_offset
    content[start : start + 30] = bytes(len(content[start : start + 30]))
    path.write_bytes(content)
    where = "" if place == "footer" else ", row group 1"
    with pytest.raises(
        ValueError, match=rf"part-001.parquet{where}: not a Parquet file, or damaged"
    ):
        model().fit(folder, "labels")


def test_what_is_not_taken(small, tmp_path):
    table, folder = small
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        model().fit(tmp_path / "nothing.parquet", "labels")
    with pytest.raises(ValueError, match=r"missing column: 'label' \(there is 'labels'\)"):
        model().fit(folder, "label")
    with pytest.raises(TypeError, match="y of the training data must be the name of a column"):
        model().fit(folder, table["labels"].to_numpy())
    with pytest.raises(TypeError, match="sample_weight of the training data must be the name"):
        model().fit(folder, "labels", np.ones(300))
    with pytest.raises(TypeError, match="base_margin must be None"):
        model().fit(folder, "labels", base_margin=np.ones(300))
    with pytest.raises(
        TypeError, match="iterator of pyarrow record batches, got int at position 0"
    ):
        model().fit(lambda: iter([1, 2]), "labels")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="it has no files"):
        model().fit(tmp_path / "empty", "labels")
    with pytest.raises(ValueError, match=r"part-000.parquet, row group 0: column 'city' must hold"):
        model(categorical_features=None).fit(folder, "labels")
    sizes = iter([300, 300, 250])
    with pytest.raises(ValueError, match="250 rows were read where there had been 300"):
        model().fit(lambda: table.slice(0, next(sizes)).to_batches(), "labels")
