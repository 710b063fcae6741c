"""`moodcore tune`, `compare` and `features` on tables in several Parquet files."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import moodcore
from moodcore import GBT, load
from moodcore.cli import main
from moodcore.estimators import batch_parts
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.file_table import FoldRows
from moodcore.tuning.train_files import HeldOut

GRID = "max_leaves = [4, 8]\nlearning_rate = [0.2]\nreg_lambda = [1.0]\n"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Return a folder of three files, and a file with a grid of two candidates."""
    path = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    for at in range(3):
        x, job = rng.normal(size=400), rng.choice(["cook", "nurse", "pilot"], 400)
        rich = x + (job == "pilot") + 0.5 * rng.normal(size=400) > 0.5
        columns = {"id": np.arange(400) + 400 * at, "x": x, "z": rng.random(400), "job": job}
        table = pa.table(columns | {"income": np.where(rich, "high", "low")})
        pq.write_table(table, path / f"part-{at}.parquet", row_group_size=150)
    grid = path.with_name("grid.toml")
    grid.write_text(GRID)
    return path, grid


def tune(data, grid, out, *options):
    words = ["tune", "--data", str(data), "--target", "income", "--id", "id", "--model", "gbt",
             "--folds", "2", "--epochs", "15", "--grid", str(grid)]  # fmt: skip
    return main([*words, *options, "--out", str(out)])


@pytest.fixture(scope="module")
def run(people, tmp_path_factory):
    """Return the folder of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert tune(*people, out) == 0
    return out


def whole(people):
    table = pa.concat_tables([pq.read_table(path) for path in sorted(people[0].iterdir())])
    return table.select(["x", "z", "job"]), table["income"].to_numpy(zero_copy_only=False)


def test_candidates_are_trained_and_scored_on_the_rows_of_their_fold(people, run):
    X, y = whole(people)
    numbers = np.arange(1200)
    trials = pd.read_csv(run / "trials.csv")
    for candidate, max_leaves in enumerate([4, 8]):
        for fold in range(2):
            parts = {
                part: FoldRows(0, 2, fold, part)(numbers)
                for part in ("training", "validation", "stopping")
            }
            held = HeldOut(derive(0, Stream.REFIT))(numbers)
            assert (sum(parts.values()) + held == 1).all()
            model = GBT(
                15, max_leaves=max_leaves, learning_rate=0.2, reg_lambda=1.0,
                categorical_features="from_dtype", early_stopping_rounds=20,
                random_state=derive(0, Stream.FIT, candidate, fold),
            )  # fmt: skip
            rows = {name: (X.filter(pa.array(part)), y[part]) for name, part in parts.items()}
            model.fit(*rows["training"], eval_set=rows["stopping"])
            accuracy = model.score(*rows["validation"])
            assert trials[f"accuracy_fold_{fold + 1}"][candidate] == accuracy
    best = json.loads((run / "metrics.json").read_text())["model"]["parameters"]
    seed = derive(0, Stream.REFIT)
    kept = ~HeldOut(seed)(numbers)
    model = GBT(**best, categorical_features="from_dtype", random_state=seed)
    model.fit(X.filter(pa.array(kept)), y[kept])
    expected = model.predict_proba(X)
    assert (load(run / "model.safetensors").predict_proba(X) == expected).all()


def test_the_report_counts_all_rows(run):
    metrics = json.loads((run / "metrics.json").read_text())
    data = metrics["data"]
    assert (data["rows"], data["train_rows"] + data["test_rows"]) == (1200, 1200)
    assert sum(data["counts"].values()) == 1200
    assert metrics["test"]["n_rows"] == data["test_rows"]
    assert set(metrics["importance"]["gain"]) == {"x", "z", "job"}
    assert "1,200 rows are read in batches" in " ".join(data["notes"])
    assert "logistic regression" in (run / "report.html").read_text()
    predictions = pd.read_parquet(run / "predictions.parquet")
    assert len(predictions) == data["test_rows"]
    accuracy = (predictions["class"] == predictions["predicted"]).mean()
    assert accuracy == metrics["test"]["accuracy"]


def results(run):
    """Return the content of the files that do not contain times."""
    names = ["trials.csv", "curves.parquet", "predictions.parquet"]
    return [(run / name).read_bytes() for name in names]


def test_batches_and_files_change_nothing(people, run, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_parts, "BATCH_ROWS", 37)
    table = pq.read_table(people[0])
    one = tmp_path / "one"
    one.mkdir()
    pq.write_table(table, one / "all.parquet")
    assert tune(one, people[1], tmp_path / "run") == 0
    assert results(tmp_path / "run") == results(run)


def test_the_function_takes_a_folder(people, run):
    grid = {"max_leaves": [4, 8], "learning_rate": [0.2], "reg_lambda": [1.0]}
    options = {"model": "gbt", "folds": 2, "epochs": 15, "grid": grid, "id": "id"}
    result = moodcore.tune(people[0], "income", **options)
    pd.testing.assert_frame_equal(result.trials, pd.read_csv(run / "trials.csv"))
    assert type(result.best_model) is GBT


def test_an_interrupted_run_is_resumed(people, run, tmp_path, capsys):
    out = tmp_path / "run"
    assert tune(*people, out, "--minutes", "1e-9") == 0
    assert "the time limit was reached" in capsys.readouterr().err
    assert main(["tune", "--resume", str(out)]) == 0
    assert results(out) == results(run)


def test_metrics_and_pruners_work_in_batches(people, tmp_path):
    for metric in ("log_loss", "roc_auc"):
        out = tmp_path / metric
        options = ("--metric", metric, "--sampler", "random", "--pruner", "median", "--trials", "3")
        assert tune(*people, out, *options) == 0
        scores = pd.read_csv(out / "trials.csv")["score"].dropna()
        assert (scores.between(-1, 0) if metric == "log_loss" else scores.between(0.5, 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dry-run"], "pass --rows N to plan with a sample"),
        (["--balance"], "hyperparameter class_weight"),
        (["--folds", "400"], "must have validation rows of every fold in the sample"),
    ],
)
def test_what_is_refused(people, tmp_path, capsys, options, message):
    assert tune(*people, tmp_path / "run", *options) == 2
    assert message in capsys.readouterr().err


def test_a_separate_test_file_is_refused(people, tmp_path, capsys):
    test = people[0] / "part-0.parquet"
    assert tune(*people, tmp_path / "run", "--test", str(test)) == 2
    assert "test must be None for a search on a table that is read" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compare", "features", "tune"])
def test_runs_in_memory_take_folders_and_samples_of_them(people, tmp_path, capsys, command):
    words = [command, "--data", str(people[0]), "--target", "income", "--id", "id",
             "--rows", "300", "--dry-run"]  # fmt: skip
    more = {"compare": ["--models", "gbt"], "features": ["--models", "gbt"], "tune": []}
    assert main([*words, *more[command]]) == 0
    assert "300 of 1,200 rows, drawn by row number" in capsys.readouterr().err
