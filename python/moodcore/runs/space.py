"""The hyperparameters to search: read, checked against the model, and drawn by Optuna."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import Family, family

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# What the run itself decides, and where.
_RESERVED = {
    "random_state": "--seed",
    "n_jobs": "--jobs",
    "record": "--study optimizers",
    "verbose": "the terminal",
    "warm_start": "--resume",
    "callbacks": "the terminal",
    "eval_metric": "the report",
    "missing": "the songs",
    "objective": "the report",
    "decision_function_shape": "the report",
    "break_ties": "the report",
}
_RANGE_KEYS = ("low", "high", "log", "step")

Params = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """Hyperparameters of a model, in the order of its signature.

    Attributes
    ----------
    fixed : dict
        One value for every candidate.
    choices : dict of str to list
        Values to choose from, encoded (see `encode`).
    ranges : dict of str to dict
        `low`, `high`, and perhaps `log` or `step`.
    listed : tuple of dict, default=()
        Candidates that are tried before those that are drawn: encoded hyperparameters, of which
        each has some; those of an empty dict are the defaults of the model.
    """

    fixed: Params
    choices: dict[str, list[Any]]
    ranges: dict[str, dict[str, Any]]
    listed: tuple[Params, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters that differ between candidates."""
        listed = (name for params in self.listed for name in params)
        return tuple(dict.fromkeys((*self.choices, *self.ranges, *listed)))

    @property
    def is_drawn(self) -> bool:
        """Whether there are candidates that are not listed."""
        return bool(self.choices or self.ranges or not self.listed)

    @property
    def grid_size(self) -> int:
        """The number of listed candidates and of combinations of the choices."""
        drawn = math.prod(len(values) for values in self.choices.values()) if self.is_drawn else 0
        return len(self.listed) + drawn

    def options(self, name: str) -> list[Any]:
        """Return the values that a hyperparameter without a range may have."""
        listed = [params[name] for params in self.listed if name in params]
        return list(dict.fromkeys([*self.choices.get(name, ()), *listed]))

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return the space as Optuna knows it."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        found: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(values) for name, values in self.choices.items()
        }
        for name, limits in self.ranges.items():
            whole = isinstance(limits["low"], int) and isinstance(limits["high"], int)
            found[name] = (IntDistribution if whole else FloatDistribution)(**limits)
        return found

    def decode(self, params: Mapping[str, Any]) -> Params:
        """Return the keyword arguments for drawn values."""
        return self.fixed | {name: decode(name, value) for name, value in params.items()}


def encode(name: str, value: Any) -> Any:
    """Return a value as one cell of a table: layers as `"16-16"`, tables as JSON.

    A value that is encoded already stays as it is.

    Examples
    --------
    >>> encode("hidden_sizes", [16, 8]), encode("hidden_sizes", []), encode("momentum", 0.9)
    ('16-8', 'none', 0.9)
    >>> encode("hidden_sizes", 100), encode("hidden_sizes", "16-8")
    ('100', '16-8')
    """
    if isinstance(value, str):
        return value
    if name == "hidden_sizes":
        sizes = [value] if isinstance(value, int) else value
        return "-".join(str(size) for size in sizes) or "none"
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    return value


def decode(name: str, value: Any) -> Any:
    """Return what `encode` was given.

    Examples
    --------
    >>> decode("hidden_sizes", "16-8"), decode("hidden_sizes", "none")
    ((16, 8), ())
    """
    if name == "hidden_sizes":
        return tuple(int(size) for size in value.split("-")) if value != "none" else ()
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value


def parse(grid: Mapping[str, Any], *, sampler: str = "grid", model: str = "mlp") -> Space:
    """Check a grid and sort it into fixed values, choices and ranges.

    Parameters
    ----------
    grid : mapping of str to Any
        For each hyperparameter a value, a list of choices, or `{low, high}` with perhaps
        `log = true` or `step`.
    sampler : str, default="grid"
        The grid sampler takes no ranges.
    model : {"mlp", "gbt", "svm", "linear-svm"}, default="mlp"
        Whose hyperparameters they are.

    Raises
    ------
    ConfigError
        For names that are not in the model's signature, names that the run itself decides,
        empty lists, and ranges that Optuna or the sampler cannot use.

    Examples
    --------
    >>> space = parse({"batch_size": [32, 64], "hidden_sizes": [[8], [8, 8]], "momentum": 0.9})
    >>> space.choices, space.fixed, space.grid_size
    ({'hidden_sizes': ['8', '8-8'], 'batch_size': [32, 64]}, {'momentum': 0.9}, 4)
    """
    names = _checked_names(family(model), grid)
    space = Space({}, {}, {})
    for name in (name for name in names if name in grid):
        value = grid[name]
        if isinstance(value, Mapping) and {"low", "high"} & set(value):
            space.ranges[name] = _range(name, value, sampler)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            choices = _choices(name, value)
            if len(choices) == 1:
                # A search has nothing to choose there, and other studies take single values.
                space.fixed[name] = decode(name, choices[0])
            else:
                space.choices[name] = choices
        else:
            _scalar_layers(name, value)
            space.fixed[name] = value
    if space.ranges:
        _checked_by_optuna(space)
    return space


def around_defaults(spaces: Sequence[Space]) -> Space:
    """Return the defaults of a model as the first candidate, and those of the spaces.

    Parameters
    ----------
    spaces : sequence of Space
        Tables of one model. The candidates of a single one are drawn; those of several, which
        have no ranges, are listed: every combination of the choices of each.

    Examples
    --------
    >>> grids = {"max_leaves": [4, 8], "subsample": 0.5}, {"reg_lambda": 10.0}
    >>> for params in around_defaults([parse(grid, model="gbt") for grid in grids]).listed:
    ...     print(params)
    {}
    {'max_leaves': 4, 'subsample': 0.5}
    {'max_leaves': 8, 'subsample': 0.5}
    {'reg_lambda': 10.0}
    """
    if len(spaces) == 1:
        (space,) = spaces
        single = {name: [encode(name, value)] for name, value in space.fixed.items()}
        return Space({}, space.choices | single, space.ranges, ({},))
    listed: list[Params] = [{}]
    for space in spaces:
        single = {name: encode(name, value) for name, value in space.fixed.items()}
        for values in itertools.product(*space.choices.values()):
            params = dict(zip(space.choices, values, strict=True)) | single
            if params not in listed:
                listed.append(params)
    return Space({}, {}, {}, tuple(listed))


def _checked_names(model: Family, grid: Mapping[str, Any]) -> list[str]:
    """Return the hyperparameters in order, once those of the grid are among them."""
    names = list(inspect.signature(model.estimator()).parameters)
    for name in grid:
        if name in _RESERVED:
            raise ConfigError(f"grid: {name} is set by {_RESERVED[name]}; leave it out")
        if name not in names:
            raise unknown_name("hyperparameter", name, set(names) - set(_RESERVED))
    return names


def _scalar_layers(name: str, value: Any) -> None:
    if name == "hidden_sizes":
        raise ConfigError(
            f"grid: hidden_sizes must be a list of layer lists such as [[16], [16, 16]], "
            f"got {value!r}"
        )


def _choices(name: str, values: Sequence[Any]) -> list[Any]:
    if not values:
        raise ConfigError(f"grid: {name} is an empty list; give at least one value")
    if name == "hidden_sizes":
        for layers in values:
            if isinstance(layers, str) or not isinstance(layers, Sequence):
                _scalar_layers(name, values)
            if any(isinstance(size, bool) or not isinstance(size, int) for size in layers):
                raise ConfigError(f"grid: hidden_sizes: {layers!r} must hold whole numbers")
    encoded = [encode(name, value) for value in values]
    if any(isinstance(value, list) for value in encoded):
        raise ConfigError(f"grid: {name}: a choice is one value, got the list {values!r}")
    if len(set(map(repr, encoded))) < len(encoded):
        raise ConfigError(f"grid: {name} has a value twice: {list(values)}")
    return encoded


def _range(name: str, limits: Mapping[str, Any], sampler: str) -> dict[str, Any]:
    if sampler == "grid":
        raise ConfigError(
            f"grid: {name} is a range, which the grid sampler cannot use; "
            "give a list of values, or choose --sampler random or tpe"
        )
    for key in limits:
        if key not in _RANGE_KEYS:
            raise unknown_name(f"grid: {name}: key", key, _RANGE_KEYS)
    for key in ("low", "high"):
        if isinstance(limits.get(key), bool) or not isinstance(limits.get(key), int | float):
            raise ConfigError(f"grid: {name}: {key} must be a number, got {limits.get(key)!r}")
    return dict(limits)


def _checked_by_optuna(space: Space) -> None:
    for name, limits in space.ranges.items():
        try:
            Space({}, {}, {name: limits}).distributions()
        except (ValueError, TypeError) as error:
            raise ConfigError(f"grid: {name} = {limits}: {error}") from None


def draw(space: Space, sampler: str, n_trials: int, seed: int) -> list[Params]:
    """Return the candidates of the grid or random sampler, encoded, in their fixed order.

    Optuna's samplers draw in a study in memory before any training, so that the order of
    candidates is a matter of the seed alone. A whole grid is put in the order of its lists;
    `n_trials` fewer are a random part of it.

    Parameters
    ----------
    space : Space
        What to draw from.
    sampler : {"grid", "random"}
        How candidates are drawn.
    n_trials : int
        Number of candidates; a grid has no more than its size.
    seed : int
        Seed of the sampler.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    drawn_by: Any = optuna.samplers.RandomSampler(seed=seed)
    if sampler == "grid":
        n_trials = min(n_trials, space.grid_size - len(space.listed))
        drawn_by = optuna.samplers.GridSampler(space.choices, seed=seed)
    study = optuna.create_study(sampler=drawn_by)
    distributions = space.distributions()
    drawn = [study.ask(distributions).params for _ in range(n_trials)]
    ordered = [{name: params[name] for name in distributions} for params in drawn]
    if sampler == "grid":
        ordered.sort(key=lambda params: [space.choices[n].index(params[n]) for n in space.choices])
    return ordered


def candidates_of(space: Space, sampler: str, n_trials: int, seed: int) -> list[Params]:
    """Return the candidates that are known before any training: listed ones first, then drawn ones.

    TPE draws by earlier results, so that only its listed candidates are known.
    """
    params = list(space.listed[:n_trials])
    left = n_trials - len(params)
    return params + draw(space, sampler, left, seed) if left and sampler != "tpe" else params


def check_arguments(model: Family, arguments: Mapping[str, Any]) -> None:
    """Let the model check its arguments on a handful of rows, before any data is read.

    Raises
    ------
    ConfigError
        For a name that is not in the model's signature, that the run itself decides, or a
        value that the model refuses, with its message.
    """
    import warnings

    import numpy as np

    _checked_names(model, arguments)
    # Enough rows of each class for early stopping to set some aside.
    X = np.linspace(-1.0, 1.0, 40, dtype=np.float32).reshape(-1, 1)
    y = np.arange(len(X)) % 2
    # Weights are for the classes of the songs, which are not known yet.
    kept = {name: value for name, value in arguments.items() if name != "class_weight"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            length = model.length
            wanted = 1 if length is None else kept.get(length, 1)
            short = {length: min(1, wanted)} if length and isinstance(wanted, int) else {}
            model.estimator()(**kept | short, random_state=0).fit(X, y)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"hyperparameters: {error}") from None
    except MemoryError:
        # Nothing is wrong with the request; the search records what this machine cannot train.
        pass
