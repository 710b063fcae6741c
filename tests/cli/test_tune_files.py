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
from moodcore.runs.candidate import combine, fit_fold
from moodcore.runs.choice import choose
from moodcore.runs.families import family
from moodcore.runs.folds import Fold
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.file_table import TRAINING, VALIDATION, FoldRows
from moodcore.tuning.plan import plan, search_space
from moodcore.tuning.settings import TuneSettings, searches_files
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


def fold_in_memory(X, y, fold, n_folds=2):
    """Return the rows of a fold of the files as a fold of a search in memory."""
    numbers = np.arange(len(y))
    train, valid = (FoldRows(0, n_folds, fold, part)(numbers) for part in (TRAINING, VALIDATION))
    held = HeldOut(derive(0, Stream.REFIT))(numbers)
    assert (train.astype(int) + valid + held == 1).all()
    rows = [X.filter(pa.array(part)) for part in (train, valid)]
    return Fold(rows[0], y[train], rows[1], y[valid], tuple(X.column_names))


def results_in_memory(people, wanted):
    """Return the results of the candidates of a search, each trained in memory."""
    folds = [fold_in_memory(*whole(people), fold) for fold in range(wanted.folds)]
    space = search_space(wanted)
    found = []
    for number, candidate in enumerate(plan(space, wanted)):
        parts = [
            fit_fold(
                family("gbt"),
                space.arguments(candidate, wanted),
                fold,
                seed=derive(0, Stream.FIT, number, index),
                metric=wanted.metric,
                on_step=lambda _: None,
                on_poll=lambda: None,
                as_called=True,
            )
            for index, fold in enumerate(folds)
        ]
        found.append(combine(number, candidate, parts))
    return found


@pytest.mark.parametrize(
    ("metric", "changes"),
    [
        ("accuracy", {}),
        ("log_loss", {"grid": {"max_leaves": [4, 8], "learning_rate": 0.2}, "epochs": 15}),
        ("roc_auc", {"grid": {"early_stopping_rounds": [5], "n_estimators": [30, 40]}}),
        ("f1_macro", {"grid": {"boosting": ["dart", "goss"], "n_estimators": [9]}}),
    ],
)
def test_candidates_are_chosen_and_scored_as_in_memory(people, metric, changes):
    """The same candidates, on the same folds: the search of files and `fit_fold` agree."""
    values = {"data": str(people[0]), "target": "income", "id": "id", "model": "gbt", "folds": 2}
    wanted = TuneSettings(**values, metric=metric, **changes)
    given = {name: value for name, value in values.items() if name not in ("data", "target")}
    result = moodcore.tune(people[0], "income", **given, metric=metric, **changes)
    expected = results_in_memory(people, wanted)
    trials = result.trials
    assert len(trials) == len(expected) > 1
    assert trials["state"].eq("complete").all()
    for name in ("accuracy", "balanced_accuracy", "train_accuracy", "n_steps", "n_weights"):
        assert trials[name].tolist() == [getattr(row, name) for row in expected], name
    for name in ("score", "log_loss", "valid_loss"):
        np.testing.assert_allclose(trials[name], [getattr(row, name) for row in expected], 1e-9)
    choice = choose(expected, metric)
    best, gain = result.metrics["search"]["best"], result.metrics["search"]["gain"]
    assert (best["number"], best["chosen"]) == (choice.best.number, choice.best.chosen)
    assert gain["kept_default"] == choice.keeps_default
    assert gain["difference"] == pytest.approx(choice.describe()["difference"], rel=1e-6)


def test_all_candidates_of_tables_in_memory_are_searched_on_files(people):
    files = TuneSettings(data=str(people[0]), target="income", model="gbt")
    memory = TuneSettings(data="people.csv", target="income", model="gbt")
    assert searches_files(vars(files))
    assert not searches_files(vars(memory))
    candidates = [plan(search_space(wanted), wanted) for wanted in (files, memory)]
    assert candidates[0] == candidates[1]
    assert candidates[0][0].params == {}
    assert len(candidates[0]) == 8


def test_the_saved_model_is_trained_on_all_rows_after_the_test(people, run, tmp_path):
    X, y = whole(people)
    metrics = json.loads((run / "metrics.json").read_text())
    seed = derive(0, Stream.REFIT)
    refit = metrics["model"]["refit"]
    assert refit["rows"] == len(y)
    model = GBT(**refit["parameters"], random_state=seed).fit(X, y)
    saved = load(run / "model.safetensors")
    assert (saved.predict_proba(X) == model.predict_proba(X)).all()
    kept = ~HeldOut(seed)(np.arange(len(y)))
    tested = GBT(**metrics["model"]["parameters"], random_state=seed)
    tested.fit(X.filter(pa.array(kept)), y[kept])
    held = X.filter(pa.array(~kept)), y[~kept]
    assert metrics["test"]["accuracy"] == tested.score(*held)
    if not metrics["search"]["gain"]["kept_default"]:
        default = GBT(random_state=seed).fit(X.filter(pa.array(kept)), y[kept])
        assert metrics["baselines"]["GBT() by default"]["accuracy"] == default.score(*held)
    out = tmp_path / "run"
    assert tune(*people, out, "--refit", "training") == 0
    assert (load(out / "model.safetensors").predict_proba(X) == tested.predict_proba(X)).all()


def test_the_report_counts_all_rows(run):
    metrics = json.loads((run / "metrics.json").read_text())
    data = metrics["data"]
    assert (data["rows"], data["train_rows"] + data["test_rows"]) == (1200, 1200)
    assert sum(data["counts"].values()) == 1200
    assert metrics["test"]["n_rows"] == data["test_rows"]
    assert set(metrics["importance"]["gain"]) == {"x", "z", "job"}
    assert "1,200 rows are read in batches" in " ".join(data["notes"])
    page = (run / "report.html").read_text()
    assert "logistic regression" in page
    # Folds and test rows are drawn by row number.
    assert "2-fold cross-validation" in page
    assert "stratified" not in page
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
