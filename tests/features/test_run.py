"""A run: its folder, stopping and continuing, the same bytes for any number of threads."""

import json
import threading
from dataclasses import replace

import pytest
from sklearn.linear_model import LogisticRegression

from moodcore.errors import ConfigError
from moodcore.features.run import FeatureRun
from moodcore.features.settings import FeatureSettings
from moodcore.runs.folder import RunFolder
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener
from moodcore.runs.run import Execution
from moodcore.runs.settings import read_toml, settings_of

SMALL = FeatureSettings(
    rows=400, folds=2, repeats=1, epochs=2, models=("gbt", "svm"), sizes=(5,), thresholds=(0.7,)
)
# Everything but times.
TABLES = ("features.csv", "importances.csv", "choices.csv", "trainings.csv")
SAME = ("metrics.json", "config.toml", "mark.json", "model.safetensors", *TABLES)


class Counting(Listener):
    """Counts jobs, and may stop the run after some."""

    def __init__(self, stop=None, after=None):
        self.stop, self.after, self.results, self.begun = stop, after, [], []

    def started(self, total, done, unit):
        self.begun.append((total, done))

    def result(self, text):
        self.results.append(text)
        if len(self.results) == self.after:
            self.stop.set()


def start(path, settings=SMALL, *, jobs=1, after=None, minutes=None, **options):
    """Run into a folder, or continue the run in it; return metrics and listener."""
    stop = threading.Event()
    listener = Counting(stop, after)
    execution = Execution(jobs=jobs, listener=listener, stop=stop, minutes=minutes)
    run = FeatureRun(settings, execution, **options)
    run.check()
    dataset = run.load()
    folder = RunFolder(path) if path.exists() else run.begin(path, dataset)
    return run.run(folder, dataset), listener


def kept(path):
    return {file.name for file in (path / "results").iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    return path, *start(path)


def test_a_run_leaves_every_file(whole):
    path, metrics, listener = whole
    assert {file.name for file in path.iterdir()} == {*SAME, "timing.json", "results"}
    assert metrics == json.loads((path / "metrics.json").read_text())
    assert (metrics["format"], metrics["version"]) == ("moodcore-features", 2)
    assert metrics["complete"] is True
    assert metrics["data"]["synthetic"] is True
    assert (metrics["data"]["rows"], metrics["data"]["noun"]) == (400, "songs")
    assert listener.begun[0] == (4, 0)
    choices = [row["choice"] for row in metrics["choices"]]
    assert list(dict.fromkeys(choices)) == ["all", "published", "filter 0.7", "eliminated to 5"]
    assert "NaN" not in (path / "metrics.json").read_text()
    assert metrics["recommended"]["model"] in ("gbt", "svm")


def test_choices_of_the_same_features_are_trained_once(whole):
    path, metrics, _ = whole
    sets = {(row["fold"], row["model"], row["features"]) for row in metrics["trainings"]}
    assert len(sets) == len(kept(path)) - 4
    assert len(sets) < len(metrics["trainings"])


@pytest.mark.parametrize("after", [1, 6])
def test_an_interrupted_run_continues_to_the_same_bytes(whole, tmp_path, after):
    path, _, listener = whole
    with pytest.raises(RunInterruptedError):
        start(tmp_path / "run", jobs=2, after=after)
    done = kept(tmp_path / "run")
    assert after <= len(done) < len(listener.results)
    _, again = start(tmp_path / "run", jobs=2)
    assert again.begun[0][1] == min(len(done), 4)
    assert len(again.results) == len(listener.results) - len(done)
    for name in SAME:
        assert (tmp_path / "run" / name).read_bytes() == (path / name).read_bytes(), name


def test_damaged_results_are_measured_again(whole, tmp_path):
    path, _, _ = whole
    start(tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    damaged = min((tmp_path / "run" / "results").glob("*columns*"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    _, listener = start(tmp_path / "run")
    assert listener.results == ["fold 1: columns"]
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (path / "metrics.json").read_bytes()


def test_limited_time_leaves_results_of_all_features(whole, tmp_path):
    path, whole_metrics, _ = whole
    metrics, _ = start(tmp_path / "run", minutes=1e-9)
    assert metrics["complete"] is False
    rows = [row for row in whole_metrics["choices"] if row["choice"] == "all"]
    assert metrics["choices"] == rows
    assert metrics["features"] == whole_metrics["features"]
    assert len(metrics["recommended"]["features"]) == 10
    start(tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (path / "metrics.json").read_bytes()


def test_other_settings_songs_or_classifiers_are_refused(whole):
    path, _, _ = whole
    with pytest.raises(ConfigError, match="repeats was 1 when the run began and is 2 now"):
        start(path, replace(SMALL, repeats=2))
    with pytest.raises(ConfigError, match="classifiers was not set when the run began"):
        start(path, models={"svm": LogisticRegression()})
    run = FeatureRun(SMALL)
    dataset = run.load()
    dataset.X.iloc[3, 2] += 1e-9
    with pytest.raises(ConfigError, match="the data have changed since the run began"):
        run.run(RunFolder(path), dataset)


def test_settings_are_read_as_they_were_written(tmp_path):
    settings = FeatureSettings(
        rows=10, models=("svm", "gbt"), thresholds=(0.5, 0.9), sizes=[2, 3], sets={"ab": ["a", "b"]}
    )
    assert settings.models == ("gbt", "svm"), "in the order of the tables"
    assert settings.thresholds == (0.9, 0.5)
    for written in (settings, FeatureSettings()):
        folder = RunFolder.begin(tmp_path / str(written.rows), "features", written, {})
        assert settings_of(FeatureSettings, read_toml(folder.config)) == written


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"models": ()}, "models must name at least one"),
        ({"models": ("gbt", "gbt")}, "each model once"),
        ({"rows": 0}, "rows must be an int of at least 1, got 0"),
        ({"epochs": 1.5}, "epochs must be an int of at least 1, got 1.5"),
        ({"on_bad_rows": "dorp"}, "on_bad_rows 'dorp' does not exist; did you mean 'drop'"),
        ({"data": 3}, "data must be a str, got 3"),
        ({"thresholds": (2.0,)}, r"thresholds must be in \[0, 1\], got 2.0"),
        ({"thresholds": ("x", 0.5)}, "thresholds must be a list of numbers"),
        ({"sizes": (0,)}, "sizes must be an int of at least 1, got 0"),
        ({"folds": 1}, "folds must be an int of at least 2, got 1"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_allowed(wrong, message):
    with pytest.raises(ConfigError, match=message):
        FeatureSettings(**wrong)


def test_unknown_models_are_refused_before_data_is_read():
    with pytest.raises(ConfigError, match="'smv' does not exist; did you mean 'svm'"):
        FeatureRun(FeatureSettings(data="lost.csv", models=("gbt", "smv"))).check()


def test_models_have_the_defaults_of_their_classes_on_tables():
    from moodcore import GBT, MLP, SVM, LinearSVM

    models = FeatureRun(FeatureSettings(target="y")).models()
    for name, kind in {"mlp": MLP, "gbt": GBT, "svm": SVM, "linear-svm": LinearSVM}.items():
        assert models[name].get_params() == kind().get_params(), name
    few = FeatureRun(FeatureSettings(target="y", epochs=7))
    assert few.models()["mlp"].epochs == few.models()["gbt"].n_estimators == 7
    # The trees that eliminate features are no model of the study here.
    alone = FeatureRun(FeatureSettings(target="y", epochs=7, models=("mlp",)))
    assert alone._trees(alone.models()).get_params() == GBT().get_params()


def test_songs_keep_the_models_of_the_experiment():
    assert FeatureSettings().epochs == 100
    run = FeatureRun(FeatureSettings(epochs=7))
    models = run.models()
    assert models["mlp"].get_params()["optimizer"] == "sgd"
    assert models["gbt"].n_estimators == models["mlp"].epochs == 7
    assert (models["svm"].C, models["svm"].probability) == (10.0, False)
    assert run._trees({}).n_estimators == 100
    assert FeatureSettings(base="defaults").epochs is None


def test_labels_in_memory_are_no_songs():
    from small_studies import table

    from moodcore import feature_study

    small = {"models": ["linear-svm"], "folds": 2, "repeats": 1, "sizes": [4], "n_jobs": 1}
    study = feature_study(*table(), **small)
    assert study.metrics["settings"]["base"] == "defaults"
    assert "epochs" not in study.metrics["settings"]
