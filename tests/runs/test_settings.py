"""Settings of any run: checked, written to TOML and read again."""

import pytest

import moodcore
from moodcore.errors import ConfigError
from moodcore.runs.settings import RunSettings, read_toml, settings_of, write_toml


def test_the_file_gives_the_same_settings(tmp_path):
    settings = RunSettings(
        data="adult.csv", target="income", drop=("id",), features=("age", "job"), balance=True
    )
    path = tmp_path / "config.toml"
    path.write_text(write_toml(settings, "compare"), encoding="utf-8")
    assert settings_of(RunSettings, read_toml(path)) == settings
    assert "moodcore compare --config config.toml" in path.read_text(encoding="utf-8")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("\ufeffseed = 3\n", encoding="utf-8")
    assert read_toml(path) == {"seed": 3}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"folds": 1}, "folds must be an int of at least 2, got 1"),
        ({"folds": True}, "folds must be an int of at least 2, got True"),
        ({"seed": -1}, "seed must be an int of at least 0, got -1"),
        ({"rows": 0}, "rows must be an int of at least 1, got 0"),
        ({"balance": "yes"}, "balance must be True or False, got 'yes'"),
        ({"on_bad_rows": "skip"}, "on_bad_rows 'skip' does not exist; allowed: drop, strict"),
        ({"duplicates": "keeep"}, "did you mean 'keep'"),
        ({"drop": "id"}, "drop must be a list of column names, got 'id'"),
        ({"target": 3}, "target must be a str, got 3"),
        ({"targett": "a"}, "setting 'targett' does not exist; did you mean 'target'"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        settings_of(RunSettings, values, where="somewhere")


@pytest.mark.parametrize("name", ["tune", "compare", "feature_study"])
def test_random_state_is_the_seed_of_every_run(name):
    run = getattr(moodcore, name)
    with pytest.raises(ConfigError, match="random_state and seed are the same setting"):
        run(random_state=1, seed=2)
    with pytest.raises(ConfigError, match="seed must be an int of at least 0, got -1"):
        run(random_state=-1)
