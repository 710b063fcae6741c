"""Settings: ranges, names, and the file that says them again."""

import pytest

from moodcore.errors import ConfigError
from moodcore.runs.settings import read_toml, settings_of, write_toml
from moodcore.tuning.settings import TuneSettings


def test_the_file_gives_the_same_settings(tmp_path):
    settings = TuneSettings(rows=100, features=("energy", "valence"), seed=7, sampler="random")
    path = tmp_path / "config.toml"
    path.write_text(write_toml(settings, "tune"))
    assert settings_of(TuneSettings, read_toml(path)) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"folds": 1}, "folds must be an int of at least 2, got 1"),
        ({"epochs": 0}, "epochs .* at least 1, got 0"),
        ({"seed": -1}, "seed .* at least 0, got -1"),
        ({"epochs": 2.5}, "epochs .* got 2.5"),
        ({"pruner": "medain"}, "did you mean 'median'"),
        ({"epoch": 3}, "where: setting 'epoch' does not exist; did you mean 'epochs'"),
        ({"grid": 3}, "grid must be a table"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        settings_of(TuneSettings, values, where="where")


def test_broken_file_is_named(tmp_path):
    path = tmp_path / "grid.toml"
    with pytest.raises(ConfigError, match="no such file"):
        read_toml(path)
    path.write_text("epochs = = 3")
    with pytest.raises(ConfigError, match=r"grid\.toml: must be a TOML file: .*line 1"):
        read_toml(path)
