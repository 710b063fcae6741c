"""The space: what a grid may say, and the fixed order of candidates."""

import pytest

from moodcore.errors import ConfigError
from moodcore.runs.families import family
from moodcore.runs.space import check_arguments, draw, parse
from moodcore.tuning.settings import TuneSettings

DEFAULT_GRID = family("mlp").grid


def test_default_grid_has_24_candidates_in_order():
    drawn = draw(parse(DEFAULT_GRID), "grid", 24, seed=0)
    assert len(drawn) == 24
    assert drawn[0] == {"hidden_sizes": "8", "learning_rate": 0.005, "batch_size": 32}
    assert drawn[1] == {"hidden_sizes": "8", "learning_rate": 0.005, "batch_size": 64}
    assert drawn[-1] == {"hidden_sizes": "16-16", "learning_rate": 0.06, "batch_size": 64}


def test_order_in_the_file_does_not_matter():
    turned = dict(reversed(DEFAULT_GRID.items()))
    assert draw(parse(turned), "grid", 24, 0) == draw(parse(DEFAULT_GRID), "grid", 24, 0)


def test_a_part_of_the_grid_is_drawn_without_repetition():
    drawn = draw(parse(DEFAULT_GRID), "grid", 10, seed=1)
    assert len({tuple(params.items()) for params in drawn}) == 10


def test_random_draws_are_a_matter_of_the_seed():
    grid = {"learning_rate": {"low": 1e-3, "high": 0.1, "log": True}, "hidden_sizes": [[4], [8]]}
    space, drawn = parse(grid, sampler="random"), ("random", 5)
    assert draw(space, *drawn, 3) == draw(space, *drawn, 3) != draw(space, *drawn, 4)
    assert all(1e-3 <= params["learning_rate"] <= 0.1 for params in draw(space, *drawn, 3))


def test_whole_ranges_give_whole_numbers():
    space = parse({"batch_size": {"low": 8, "high": 64}}, sampler="random")
    drawn = draw(space, "random", 5, 0)
    assert all(isinstance(params["batch_size"], int) for params in drawn)


def test_decoded_values_are_arguments_of_mlp():
    space = parse({"hidden_sizes": [[], [8, 4]], "momentum": 0.5})
    decoded = [space.decode(params) for params in draw(space, "grid", 24, 0)]
    assert decoded == [
        {"momentum": 0.5, "hidden_sizes": ()},
        {"momentum": 0.5, "hidden_sizes": (8, 4)},
    ]


@pytest.mark.parametrize(
    ("grid", "sampler", "message"),
    [
        ({"learning_rte": 0.1}, "grid", "'learning_rte' does not exist; did you mean 'learning_r"),
        ({"random_state": 1}, "grid", "random_state is set by --seed"),
        ({"momentum": []}, "grid", "momentum is an empty list"),
        ({"momentum": [0.9, 0.9]}, "grid", "momentum has a value twice"),
        ({"hidden_sizes": 16}, "grid", "list of layer lists"),
        ({"hidden_sizes": [16, 16]}, "grid", "list of layer lists"),
        ({"hidden_sizes": [["a"]]}, "grid", "whole numbers"),
        ({"l2": {"low": 0.0, "high": 1.0}}, "grid", "grid sampler cannot use"),
        ({"l2": {"low": 0.0, "high": 1.0, "logg": True}}, "random", "did you mean 'log'"),
        ({"l2": {"low": 0.0}}, "random", "high must be a number, got None"),
        ({"l2": {"low": 0.0, "high": 1.0, "log": True}}, "random", "l2"),
        ({"l2": {"low": 2.0, "high": 1.0}}, "random", "l2"),
    ],
)
def test_wrong_grids_are_named(grid, sampler, message):
    with pytest.raises(ConfigError, match=message):
        parse(grid, sampler=sampler)


def test_trees_have_their_own_grid_and_names():
    settings = TuneSettings(model="gbt")
    assert len(draw(parse(settings.grid, model="gbt"), "grid", 24, 0)) == 18
    with pytest.raises(ConfigError, match="'max_leavs' does not exist; did you mean 'max_leaves'"):
        parse({"max_leavs": [3]}, model="gbt")
    with pytest.raises(ConfigError, match="model must be 'mlp', got gbt"):
        TuneSettings(model="gbt", study="optimizers")


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": -1.0}, {"epochs": 0}, {"epochs": "many"}, {"init": "hee"}]
)
def test_values_are_checked_by_the_network_itself(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        check_arguments(family("mlp"), wrong)
