"""What a search over all families tries, and in which order."""

import itertools

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodcore.errors import ConfigError
from moodcore.runs.candidate import Candidate
from moodcore.runs.families import FAMILIES
from moodcore.runs.settings import read_toml, settings_of, write_toml
from moodcore.tuning.plan import n_candidates, plan, search_space
from moodcore.tuning.settings import TuneSettings

GRIDS = {
    "mlp": {"hidden_sizes": [[4], [8]], "learning_rate": [0.01, 0.02], "epochs": 3},
    "gbt": {"max_leaves": [4, 5, 6], "learning_rate": 0.1, "reg_lambda": 1.0},
    "svm": {"C": [1.0, 2.0], "gamma": 0.1},
    "linear-svm": {"C": 1.0, "loss": "hinge"},
}


def settings(**changes):
    return TuneSettings(**{"model": "all", "grid": GRIDS} | changes)


def planned(wanted):
    return plan(search_space(wanted), wanted)


def test_the_whole_grid_of_every_family_is_tried_in_turns():
    found = planned(settings())
    assert [candidate.model for candidate in found[:4]] == list(FAMILIES)
    sizes = {name: sum(candidate.model == name for candidate in found) for name in FAMILIES}
    assert sizes == {"mlp": 4, "gbt": 3, "svm": 2, "linear-svm": 1}
    for name in FAMILIES:
        own = [candidate.params for candidate in found if candidate.model == name]
        alone = TuneSettings(model=name, grid=GRIDS[name])
        assert own == [candidate.params for candidate in planned(alone)]


@given(trials=st.integers(1, 14), sampler=st.sampled_from(["grid", "random"]))
def test_families_get_the_same_share_as_far_as_they_have_candidates(trials, sampler):
    wanted = settings(trials=trials, sampler=sampler)
    found = planned(wanted)
    assert len(found) == n_candidates(search_space(wanted), wanted)
    assert len(found) == (min(trials, 10) if sampler == "grid" else trials)
    counts = [sum(candidate.model == name for candidate in found) for name in FAMILIES]
    room = [4, 3, 2, 1] if sampler == "grid" else [trials] * 4
    for (many, _), (few, limit) in itertools.permutations(zip(counts, room, strict=True), 2):
        assert many <= few + 1 or few == limit
    if sampler == "grid":
        assert len({(candidate.model, *candidate.params.items()) for candidate in found}) == len(
            found
        )


def test_drawn_candidates_are_24_of_each_family_unless_told_otherwise():
    wanted = settings(sampler="random", grid=None)
    assert len(planned(wanted)) == 4 * 24 == n_candidates(search_space(wanted), wanted)


def test_tpe_sees_each_family_twice_before_it_chooses():
    space = search_space(settings(sampler="tpe"))
    first = [space.first(number) for number in range(9)]
    assert first[:8] == [{"model": name} for name in FAMILIES] * 2
    assert first[8] == {}
    assert search_space(TuneSettings()).first(0) == {}


@pytest.mark.parametrize("name", FAMILIES)
def test_an_enqueued_candidate_comes_back_as_it_was(name):
    space = search_space(settings(sampler="random", grid=GRIDS | {"mlp": RANGES}))
    for candidate in planned(settings(sampler="random", trials=8, grid=GRIDS | {"mlp": RANGES})):
        study = optuna.create_study()
        study.enqueue_trial(space.enqueued(candidate))
        assert space.suggest(study.ask()) == candidate


RANGES = {
    "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "batch_size": {"low": 8, "high": 64},
}


def test_the_space_is_conditional():
    space = search_space(settings())
    trial = optuna.create_study().ask()
    found = space.suggest(trial)
    assert trial.params["model"] == found.model
    own = {f"{found.model}.{name}" for name in found.params}
    assert set(trial.params) == {"model"} | own


def test_arguments_are_those_of_the_family():
    wanted = settings(epochs=7)
    space = search_space(wanted)
    trees = space.arguments(Candidate("gbt", {"max_leaves": 5}), wanted)
    assert trees["max_leaves"] == 5 and trees["n_estimators"] == 7 and trees["reg_lambda"] == 1.0
    machine = space.arguments(Candidate("svm", {"C": 2.0}), wanted)
    assert machine == {"C": 2.0, "gamma": 0.1, "probability": True}


def test_settings_of_all_families_are_read_again(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(write_toml(settings(epochs=5, pruner="median"), "tune"))
    assert settings_of(TuneSettings, read_toml(path)) == settings(epochs=5, pruner="median")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "al"}, "did you mean 'all'"),
        ({"grid": {"gtb": {}}}, "family 'gtb' does not exist; did you mean 'gbt'"),
        ({"grid": {"C": [1.0]}}, r"hyperparameters belong in the table of their family"),
        ({"grid": {"gbt": 3}}, "gbt must be a table of hyperparameters, got 3"),
        ({"study": "optimizers"}, "model must be 'mlp', got all"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


def test_a_wrong_name_in_a_familys_table_is_named():
    with pytest.raises(ConfigError, match="'max_leavs' does not exist; did you mean 'max_leaves'"):
        search_space(settings(grid={"gbt": {"max_leavs": [3]}}))


def test_families_without_a_table_keep_their_grid():
    assert settings(grid={"gbt": {"max_leaves": [3]}}).of("svm").grid == FAMILIES["svm"].grid
