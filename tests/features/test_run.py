"""A run: its folder, stopping and going on, the same bytes for any number of threads."""

import json
import threading

import pytest
from moodcore.runs.tasks import RunInterruptedError

from moodcore.errors import ConfigError
from moodcore.features.run import FeatureFolder, FeatureRun, existing, read_settings
from moodcore.features.settings import FeatureSettings

SMALL = FeatureSettings(
    songs=400, folds=2, repeats=1, epochs=2, models=("gbt", "svm"), sizes=(5,), thresholds=(0.7,)
)
# Everything but times, and the page, which has them too.
SAME = ("metrics.json", "parts.json", "features.csv", "importances.csv", "choices.csv")
SAME += ("trainings.csv", "config.toml")


class Counting:
    """A listener that counts parts and may stop the run after some."""

    def __init__(self, stop=None, after=None):
        self.stop, self.after, self.done, self.before = stop, after, [], []

    def stage(self, text):
        pass

    def started(self, total, done):
        self.before.append((total, done))

    def finished(self, what):
        self.done.append(what)
        if len(self.done) == self.after:
            self.stop.set()

    def ended(self):
        pass


def start(path, settings=SMALL, *, jobs=1, after=None):
    """Run into a folder; returns metrics and listener."""
    stop = threading.Event()
    listener = Counting(stop, after)
    run = FeatureRun(settings, jobs=jobs, listener=listener, stop=stop, command="moodcore features")
    path.mkdir(exist_ok=True)
    folder = FeatureFolder(path)
    folder.write_settings(settings)
    return run.run(folder, run.load()), listener


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    return path, *start(path)


def test_a_run_leaves_every_file(whole):
    path, metrics, listener = whole
    assert {one.name for one in path.iterdir()} == {*SAME, "timing.json"}
    assert metrics == json.loads((path / "metrics.json").read_text())
    assert (metrics["format"], metrics["version"]) == ("moodcore-features", 1)
    assert metrics["data"]["synthetic"] is True
    assert metrics["data"]["songs"] == 400
    assert listener.before[0] == (4, 0)
    choices = [one["choice"] for one in metrics["choices"]]
    assert list(dict.fromkeys(choices)) == ["all", "published", "filter 0.7", "eliminated to 5"]
    assert "NaN" not in (path / "metrics.json").read_text()
    assert metrics["advice"][0].startswith(("For ", "Keep all 10 features"))


def test_choices_of_the_same_features_are_trained_once(whole):
    path, metrics, _ = whole
    sets = {(one["fold"], one["model"], one["features"]) for one in metrics["trainings"]}
    parts = json.loads((path / "parts.json").read_text())["parts"]
    assert len(sets) == len(parts) - 4
    assert len(sets) < len(metrics["trainings"])


@pytest.mark.parametrize("after", [1, 6])
def test_an_interrupted_run_goes_on_to_the_same_bytes(whole, tmp_path, after):
    path, _, listener = whole
    with pytest.raises(RunInterruptedError):
        start(tmp_path / "run", jobs=2, after=after)
    kept = json.loads((tmp_path / "run" / "parts.json").read_text())["parts"]
    assert after <= len(kept) < len(listener.done)
    _, again = start(tmp_path / "run", jobs=2)
    assert again.before[0][1] == min(len(kept), 4)
    assert len(again.done) == len(listener.done) - len(kept)
    for name in SAME:
        assert (tmp_path / "run" / name).read_bytes() == (path / name).read_bytes(), name


def test_other_settings_or_songs_are_refused(whole, tmp_path):
    from dataclasses import replace

    path, _, _ = whole
    (tmp_path / "parts.json").write_bytes((path / "parts.json").read_bytes())
    with pytest.raises(ConfigError, match="repeats was 1 when the run began and is 2 now"):
        start(tmp_path, replace(SMALL, repeats=2))
    run = FeatureRun(SMALL, jobs=1, listener=Counting())
    table = run.table(run.load())
    table.X.iloc[3, 2] += 1e-9
    with pytest.raises(ConfigError, match="the data have changed since the run began"):
        run.claim(FeatureFolder(tmp_path), table)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no run there"):
        existing(tmp_path)
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(ConfigError, match="no study of features was begun there"):
        existing(tmp_path)


def test_settings_are_read_as_they_were_written(tmp_path):
    settings = FeatureSettings(songs=10, models=("svm", "gbt"), thresholds=(0.5, 0.9), sizes=[2, 3])
    FeatureFolder(tmp_path).write_settings(settings)
    assert read_settings(tmp_path / "config.toml") == settings
    assert settings.models == ("gbt", "svm"), "in the order of the tables"
    assert settings.thresholds == (0.9, 0.5)
    assert read_settings(tmp_path / "config.toml", seed=3).seed == 3
    FeatureFolder(tmp_path).write_settings(FeatureSettings())
    assert read_settings(tmp_path / "config.toml") == FeatureSettings()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"models": ("gbt", "smv")}, "model 'smv' does not exist; did you mean 'svm'"),
        ({"models": ()}, "models must name at least one"),
        ({"models": ("gbt", "gbt")}, "each model once"),
        ({"songs": 0}, "songs must be a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 1, got 1.5"),
        ({"on_bad_rows": "dorp"}, "on_bad_rows 'dorp' does not exist; did you mean 'drop'"),
        ({"data": 3}, "data must be the path of a file, got 3"),
        ({"thresholds": (2.0,)}, "thresholds must be between 0 and 1, got 2.0"),
        ({"sizes": (0,)}, "sizes must be a whole number of at least 1, got 0"),
        ({"folds": 1}, "folds must be a whole number of at least 2, got 1"),
    ],
)
def test_wrong_settings_say_what_is_allowed(wrong, says):
    with pytest.raises(ConfigError, match=says):
        FeatureSettings(**wrong)
