"""Boosted trees trained by Dask workers on Parquet files that they read themselves."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore import GBT, Checkpoint
from moodcore.cli import main
from moodcore.dask import GBT as DaskGBT
from moodcore.errors import TableError
from moodcore.estimators import batches
from moodcore.estimators.cluster import parts

from .trees import categories, file_bytes, numbers


def write_files(data, folder, *, n_files=3, group=170):
    """Write rows with labels and weights to Parquet files of several row groups."""
    folder.mkdir()
    table = data.X if isinstance(data.X, pd.DataFrame) else pd.DataFrame(
        data.X, columns=list("abcde")
    )  # fmt: skip
    table = pa.Table.from_pandas(table.assign(label=data.y, weight=data.weight))
    size = -(-table.num_rows // n_files)
    for number in range(n_files):
        part = table.slice(number * size, size)
        pq.write_table(part, folder / f"part-{number}.parquet", row_group_size=group)
    return folder


def source(folder, *, weighted):
    """Return the columns of the files that are used."""
    names = [name for name in pq.read_schema(folder / "part-0.parquet").names if name != "weight"]
    return batches.BatchSource(folder, [*names, "weight"] if weighted else names)


CASES = {
    "numbers": (numbers, {"n_estimators": 4}, False),
    "defaults": (numbers, {}, False),
    "categories": (categories, {"n_estimators": 4, "categorical_features": "from_dtype"}, False),
    "weights": (
        categories,
        {"n_estimators": 4, "categorical_features": "from_dtype", "max_bin": 60},
        True,
    ),
    "real weights": (numbers, {"n_estimators": 4, "class_weight": "balanced"}, True),
    "goss": (numbers, {"n_estimators": 4, "boosting": "goss"}, False),
    "held out": (numbers, {"n_estimators": 30, "early_stopping_rounds": 3}, True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("part_rows", [1, 400, 1 << 20])
def test_models_are_those_of_one_process(workers, tmp_path, monkeypatch, case, part_rows):
    monkeypatch.setattr(parts, "_PART_ROWS", part_rows)
    make, parameters, weighted = CASES[case]
    folder, parameters = write_files(make(), tmp_path / "rows"), {"random_state": 3, **parameters}
    data = source(folder, weighted=weighted)
    weight = "weight" if weighted else None
    trained = DaskGBT(**parameters).fit(data, "label", weight, client=workers)
    local = GBT(**parameters).fit(data, "label", weight)
    assert file_bytes(trained, tmp_path) == file_bytes(local, tmp_path, "local")
    assert local.n_trees_ > 0
    # Training in memory has the same bytes.
    table = pq.read_table(folder)
    X = table.drop_columns(["label", "weight"])
    weights = table["weight"].to_numpy() if weighted else None
    in_memory = GBT(**parameters).fit(X, table["label"].to_numpy(), weights)
    assert file_bytes(in_memory, tmp_path, "memory") == file_bytes(local, tmp_path, "local")


def test_the_client_reads_no_rows(workers, tmp_path, monkeypatch):
    folder = write_files(numbers(), tmp_path / "rows")

    def refuse(*_):
        raise AssertionError

    # Workers are other processes.
    for kind in (batches.BatchSource, batches.BatchRange):
        monkeypatch.setattr(kind, "batches", refuse)
    parameters = {"n_estimators": 5, "random_state": 3, "early_stopping_rounds": 2}
    model = DaskGBT(**parameters).fit(folder, "label", client=workers)
    assert model.n_trees_ > 0
    with pytest.raises(AssertionError):
        GBT(**parameters).fit(folder, "label")


def test_all_workers_have_rows(tmp_path):
    folder = write_files(numbers(), tmp_path / "rows", n_files=2)
    rows = [
        sum(
            pq.read_metadata(part.rows.part.where).row_group(at).num_rows for at in part.rows.groups
        )
        for part in parts.file_parts(batches.BatchSource(folder), "label", None, 1)
    ]
    assert sum(rows) == 1500
    assert rows == [340, 340, 70] * 2
    assert len(parts.file_parts(batches.BatchSource(folder), "label", None, 3)) == 10


def test_chosen_rows_and_evaluation_sets_in_files(workers, tmp_path):
    folder = write_files(categories(), tmp_path / "rows")
    other = write_files(categories(400, seed=5), tmp_path / "other", n_files=2)
    names = ["a", "b", "text", "label", "weight"]
    odd = batches.BatchSource(folder, names, chosen=_Odd())
    parameters = {"n_estimators": 20, "random_state": 1, "early_stopping_rounds": 4,
                  "categorical_features": "from_dtype"}  # fmt: skip
    fit = {
        "eval_set": {"other": (str(other), "label")},
        "sample_weight_eval_set": {"other": "weight"},
    }
    trained = DaskGBT(**parameters).fit(odd, "label", "weight", client=workers, **fit)
    local = GBT(**parameters).fit(odd, "label", "weight", **fit)
    assert file_bytes(trained, tmp_path) == file_bytes(local, tmp_path, "local")
    assert trained.evals_result_ == local.evals_result_
    table = pq.read_table(folder, columns=names).take(np.arange(1, 1500, 2))
    X, y = table.select(names[:3]), table["label"].to_numpy()
    sets = pq.read_table(other)
    fit = {
        "eval_set": {"other": (sets.select(names[:3]), sets["label"].to_numpy())},
        "sample_weight_eval_set": {"other": sets["weight"].to_numpy()},
    }
    in_memory = GBT(**parameters).fit(X, y, table["weight"].to_numpy(), **fit)
    assert file_bytes(in_memory, tmp_path, "memory") == file_bytes(local, tmp_path, "local")


class _Odd:
    """Chooses the rows with an odd index; sent to workers by value."""

    def __call__(self, rows):
        return rows % 2 == 1

    def __reduce__(self):
        return eval, ("type('Odd', (), {'__call__': lambda self, rows: rows % 2 == 1})()",)


def test_errors_name_the_file(workers, tmp_path):
    folder = write_files(numbers(), tmp_path / "rows")
    path = folder / "part-1.parquet"
    table = pq.read_table(path)
    labels = table["label"].to_pylist()
    labels[200] = None
    pq.write_table(table.set_column(5, "label", pa.array(labels)), path, row_group_size=170)
    with pytest.raises(TableError, match=r"part-1\.parquet, row group 1: the label column 'label'"):
        DaskGBT(2).fit(folder, "label", client=workers)
    pq.write_table(table, path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(bytes(content))
    with pytest.raises(TableError, match=r"part-1\.parquet, row group 0"):
        DaskGBT(2).fit(folder, "label", client=workers)
    with pytest.raises(TypeError, match="y must be the name of a column"):
        DaskGBT(2).fit(folder, np.zeros(3), client=workers)
    with pytest.raises(TableError, match="missing column: 'labl'"):
        DaskGBT(2).fit(folder, "labl", client=workers)
    with pytest.raises(TypeError, match="must be in Parquet files"):
        DaskGBT(2).fit(lambda: iter(table.to_batches()), "label", client=workers)
    with pytest.raises(TypeError, match="base_margin must be None for tables that are read"):
        DaskGBT(2).fit(folder, "label", client=workers, base_margin="a")


def test_training_resumes_from_a_checkpoint(workers, tmp_path):
    folder = write_files(numbers(), tmp_path / "rows")
    data, parameters = source(folder, weighted=False), {"n_estimators": 6, "random_state": 3}
    checkpoint = Checkpoint(tmp_path / "checkpoint", every=2)

    def stop(record):
        if record["iteration"] == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        DaskGBT(**parameters, callbacks=[checkpoint, stop]).fit(data, "label", client=workers)
    resumed = DaskGBT(**parameters, callbacks=[checkpoint]).fit(data, "label", client=workers)
    local = GBT(**parameters).fit(data, "label")
    assert file_bytes(resumed, tmp_path) == file_bytes(local, tmp_path, "local")


def test_a_killed_worker_changes_no_bit(mortal_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART_ROWS", 170)
    folder = write_files(numbers(), tmp_path / "rows")
    data, parameters = source(folder, weighted=False), {"n_estimators": 6, "random_state": 3}

    def kill(record):
        if record["iteration"] == 2:
            mortal_cluster.workers[0].kill()

    with mortal_cluster.client() as client:
        trained = DaskGBT(**parameters, callbacks=[kill]).fit(data, "label", client=client)
    local = GBT(**parameters).fit(data, "label")
    assert file_bytes(trained, tmp_path) == file_bytes(local, tmp_path, "local")


@pytest.mark.parametrize("options", [[], ["--weight", "weight"]])
def test_the_command_gives_the_file_of_one_process(workers, tmp_path, capsys, options):
    folder = write_files(categories(), tmp_path / "rows")
    other = write_files(categories(300, seed=9), tmp_path / "other", n_files=1)
    words = ["train", "--data", str(folder), "--target", "label", "--model", "gbt",
             "--set", "n_estimators=25", "--set", "early_stopping_rounds=3",
             "--validation", str(other)]  # fmt: skip
    words += options or ["--drop", "weight"]
    dask = ["--engine", "dask", "--scheduler", workers.scheduler.address]
    files = [tmp_path / "local.safetensors", tmp_path / "dask.safetensors"]
    printed = []
    for path, engine in zip(files, [[], dask], strict=True):
        checkpoint = ["--checkpoint", str(path.with_suffix(".checkpoint"))]
        assert main([*words, *engine, *checkpoint, "-o", str(path)]) == 0
        printed.append(capsys.readouterr().out.splitlines()[0])
    assert printed[0] == printed[1]
    assert files[0].read_bytes() == files[1].read_bytes()
    checkpoints = [path.with_suffix(".checkpoint").read_bytes() for path in files]
    assert checkpoints[0] == checkpoints[1]


def test_what_the_command_refuses(workers, tmp_path, capsys):
    folder = write_files(numbers(), tmp_path / "rows")
    dask = ["--engine", "dask", "--scheduler", workers.scheduler.address]
    out = ["-o", str(tmp_path / "model")]
    table = tmp_path / "rows.csv"
    table.write_text("a,label\n1,0\n2,1\n")
    for words, message in [
        (["--data", str(table), "--model", "gbt", *dask], "engine 'dask' needs a table that"),
        (["--data", str(folder), "--model", "mlp", *dask], "model must be 'gbt'"),
        (["--data", str(folder), "--model", "gbt", *dask[:2]], "--engine dask needs"),
        (["--data", str(table), "--model", "gbt", "--weight", "a"], "weight 'a' needs a table"),
    ]:
        assert main(["train", *words, "--target", "label", *out]) == 2
        assert message in capsys.readouterr().err
