"""`--model gbt`: search, report, and what the other commands do with the model."""

import io
import json
import re
import signal

import pandas as pd
import pytest

from moodcore import GBT, load, songs
from moodcore.cli import main
from moodcore.cli.progress import PlainProgress

SMALL = ("--model", "gbt", "--songs", "400", "--folds", "2", "--epochs", "4", "--seed", "5")
GRID = "max_leaves = [4, 8, 9]\nlearning_rate = 0.3\nreg_lambda = 1.0\nmin_child_samples = 5\n"
# Everything but the times, the page that tells them, and Optuna's storage.
RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
RESULTS += ("predictions.parquet",)
FIGURES = {
    "class_counts",
    "correlation",
    "importance",
    "grid_overview",
    "learning_rates",
    "shapes",
    "candidates",
    "confusion_matrix",
    "calibration",
    "class_curves",
    "rejection",
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, grid):
    """A run from its beginning to its end, on one thread."""
    run = tmp_path_factory.mktemp("trees") / "run"
    asked = ("tune", *SMALL, "--grid", grid, "--jobs", 1, "--out", run)
    assert main([str(word) for word in asked]) == 0
    return run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file of songs that no model has seen."""
    path = tmp_path_factory.mktemp("songs") / "songs.csv"
    X, y = songs.synthesize(300, random_state=9)
    X.assign(**{songs.LABEL: y}).to_csv(path, index=False)
    return path


def assert_same_results(first, other):
    for name in RESULTS:
        assert (first / name).read_bytes() == (other / name).read_bytes(), name


def test_a_run_leaves_everything(finished):
    kept = {*RESULTS, "mark.json", "timing.json", "study.db", "report.html", "figures"}
    assert {path.name for path in finished.iterdir()} == kept
    assert {path.name for path in (finished / "figures").iterdir()} == {
        f"{name}.svg" for name in FIGURES
    }
    trials = pd.read_csv(finished / "trials.csv")
    assert trials["max_leaves"].to_list() == [4, 8, 9]
    assert set(trials["state"]) == {"complete"}
    # Four rounds of a tree for each class.
    assert (trials["n_weights"] > 16).all()
    assert (trials["n_weights"] <= 16 * trials["max_leaves"]).all()
    curves = pd.read_parquet(finished / "curves.parquet")
    assert curves.groupby("number")["epoch"].max().to_list() == [4, 4, 4]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["model"]["parameters"]["n_estimators"] == 4
    assert "optimizers" not in metrics


def test_report_shows_the_importance_of_features(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<figure[^>]* id="(\w+)"', text)) == FIGURES
    gain = json.loads((finished / "metrics.json").read_text())["importance"]["gain"]
    assert list(gain) == list(songs.FEATURES)
    assert sum(gain.values()) == pytest.approx(1.0)
    picture = text[text.index('id="importance"') :]
    picture = picture[: picture.index("</figure>")]
    assert "<svg" in picture
    assert "correlation filter" in picture.casefold()
    for name, share in gain.items():
        assert name in picture
        assert f"{share:.4f}".rstrip("0") in picture


def test_jobs_change_no_byte(finished, moodcore, tmp_path):
    again = ("tune", "--config", finished / "config.toml", "--jobs", 2, "--out", tmp_path / "run")
    done = moodcore(*again)
    assert done.code == 0, done.err
    assert_same_results(finished, tmp_path / "run")


def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    finished, grid, moodcore, tmp_path, monkeypatch
):
    class Interrupting(PlainProgress):
        def result(self, text):
            super().result(text)
            signal.raise_signal(signal.SIGINT)

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr("moodcore.cli.progress.make_progress", Interrupting)
        ended = moodcore("tune", *SMALL, "--grid", grid, "--jobs", 2, "--out", run)
    assert ended.code == 130, ended.err
    assert not (run / "metrics.json").exists()
    resumed = moodcore("tune", "--resume", run, "--jobs", 2)
    assert resumed.code == 0, resumed.err
    assert re.search(r"6 folds, [24] already done", resumed.err)
    assert_same_results(finished, run)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of the command `train`."""
    path = tmp_path_factory.mktemp("trained") / "model"
    chosen = ("--set", "n_estimators=9", "--set", "max_leaves=6", "--set", "reg_lambda=0.5")
    asked = ("train", "--model", "gbt", "--songs", 400, "--features", "all", *chosen, "-o", path)
    assert main([str(word) for word in asked]) == 0
    return path


def test_train_makes_trees_as_told(trained):
    trees = load(trained).named_steps["classify"].estimator_
    assert isinstance(trees, GBT)
    assert (trees.n_estimators, trees.max_leaves, trees.reg_lambda) == (9, 6, 0.5)
    assert trees.trees_to_dataframe()["Tree"].nunique() == 9 * 4


def test_train_names_the_nearest_hyperparameter_of_trees(moodcore, tmp_path):
    done = moodcore("train", "--model", "gbt", "--set", "max_leafs=4", "-o", tmp_path / "model")
    assert done.code == 2
    assert "did you mean 'max_leaves'?" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("maker", ["trained", "tuned"])
def test_evaluate_and_predict_agree(maker, trained, finished, table, moodcore):
    model = trained if maker == "trained" else finished / "model.safetensors"
    done = moodcore("evaluate", model, table, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    predicted = moodcore("predict", model, table, "--keep", "all")
    assert predicted.code == 0, predicted.err
    found = pd.read_csv(io.StringIO(predicted.out))
    pd.testing.assert_frame_equal(found[list(pd.read_csv(table))], pd.read_csv(table))
    probabilities = found.filter(like="probability_")
    assert probabilities.sum(axis=1).to_list() == pytest.approx([1.0] * 300)
    truth = [songs.LABEL_NAMES[code] for code in found[songs.LABEL]]
    right = (found["predicted_label"] == truth).mean()
    assert (told["n_rows"], told["accuracy"]) == (300, pytest.approx(right))
    # Far above chance, which is 0.38 for the largest class.
    assert right > 0.6


def test_the_winner_predicts_as_the_report_says(finished, moodcore):
    """The file holds the model that was tested: its test rows give the same accuracy again."""
    from moodcore.runs.data import load as load_songs
    from moodcore.runs.folder import RunFolder
    from moodcore.runs.folds import split
    from moodcore.runs.settings import read_toml, settings_of
    from moodcore.tuning.settings import TuneSettings

    settings = settings_of(TuneSettings, read_toml(RunFolder(finished).config))
    parts = split(load_songs(settings), settings.seed)
    model = load(finished / "model.safetensors")
    metrics = json.loads((finished / "metrics.json").read_text())
    assert model.score(parts.X_test, parts.y_test) == metrics["test"]["accuracy"]
