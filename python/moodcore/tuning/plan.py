"""What a search tries: the families, their hyperparameters, and the candidates in their order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodcore.runs.candidate import Candidate
from moodcore.runs.families import family
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.space import Params, Space, candidates_of
from moodcore.runs.spaces import read_space
from moodcore.tuning.settings import DEFAULT_TRIALS, TuneSettings

if TYPE_CHECKING:
    import optuna

#: The hyperparameter of a joint search that says which family the others are of.
MODEL = "model"
# In a joint search TPE starts with this many candidates of each family.
_FIRST_OF_EACH = 2


@dataclass(frozen=True)
class SearchSpace:
    """The hyperparameters of every family in a search.

    In Optuna's study those of a joint search stand under the family, as in `gbt.max_leaves`,
    below one more hyperparameter, `model`: a conditional space.
    """

    spaces: Mapping[str, Space]

    @property
    def joint(self) -> bool:
        """Whether there are several families."""
        return len(self.spaces) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters that differ between candidates of some family."""
        return tuple(dict.fromkeys(name for space in self.spaces.values() for name in space.names))

    def suggest(self, trial: optuna.Trial, planned: Candidate | None = None) -> Candidate:
        """Let the trial's sampler choose; what was enqueued with the trial stands.

        A planned candidate, whose hyperparameters were enqueued, may have some of them only.
        """
        models = list(self.spaces)
        model = trial.suggest_categorical(MODEL, models) if self.joint else models[0]
        space = self.spaces[model]
        params: Params = {}
        for name in planned.params if planned else (*space.choices, *space.ranges):
            if limits := space.ranges.get(name):
                whole = isinstance(limits["low"], int) and isinstance(limits["high"], int)
                suggest: Any = trial.suggest_int if whole else trial.suggest_float
                params[name] = suggest(self._key(model, name), **limits)
            else:
                params[name] = trial.suggest_categorical(
                    self._key(model, name), space.options(name)
                )
        return Candidate(model, params)

    def enqueued(self, candidate: Candidate) -> Params:
        """Return the candidate as Optuna enqueues it."""
        model, params = candidate
        keyed = {self._key(model, name): value for name, value in params.items()}
        return {MODEL: model} | keyed if self.joint else keyed

    def _key(self, model: str, name: str) -> str:
        return f"{model}.{name}" if self.joint else name

    def arguments(self, candidate: Candidate, settings: TuneSettings) -> Params:
        """Return the arguments of the candidate's class."""
        model, params = candidate
        decoded = self.spaces[model].decode(params)
        if settings.around_defaults:
            return family(model).arguments_around_defaults(decoded, settings.epochs)
        assert settings.epochs is not None
        return family(model).arguments(settings.epochs, decoded)

    def first(self, number: int) -> Params:
        """Return what of candidate `number` is fixed when TPE chooses the rest.

        Chance alone could leave a family out of the candidates from which TPE begins to learn.
        """
        models = list(self.spaces)
        if not self.joint or number >= _FIRST_OF_EACH * len(models):
            return {}
        return {MODEL: models[number % len(models)]}


def search_space(settings: TuneSettings) -> SearchSpace:
    """Read and check the hyperparameters of every family.

    Raises
    ------
    ConfigError
        As `moodcore.runs.space.parse`.
    """
    spaces = {}
    for name in settings.families:
        grid = settings.of(name).grid or {}
        spaces[name] = read_space(name, grid, base=str(settings.base), sampler=settings.sampler)
    return SearchSpace(spaces)


def n_candidates(space: SearchSpace, settings: TuneSettings) -> int:
    """Return how many candidates a search tries."""
    if settings.sampler == "grid":
        whole = sum(alone.grid_size for alone in space.spaces.values())
        return min(settings.trials or whole, whole)
    return settings.trials or DEFAULT_TRIALS * len(space.spaces)


def plan(space: SearchSpace, settings: TuneSettings) -> list[Candidate]:
    """Return the candidates that are known before any training, in their fixed order.

    TPE chooses those that are not listed by earlier results. Families take turns, so that a search
    that is ended early has tried all of them.
    """
    drawn = []
    for index, (model, share) in enumerate(_shares(space, settings).items()):
        # A family alone is drawn with the seed that it always had.
        seed = derive(settings.seed, Stream.SAMPLER, *([index] if space.joint else []))
        found = candidates_of(space.spaces[model], settings.sampler, share, seed)
        drawn.append([Candidate(model, params) for params in found])
    turns = itertools.zip_longest(*drawn)
    return [candidate for turn in turns for candidate in turn if candidate is not None]


def _shares(space: SearchSpace, settings: TuneSettings) -> dict[str, int]:
    """Return how many candidates each family gets: the same, as far as its grid has them."""
    grid = settings.sampler == "grid"
    left = n_candidates(space, settings)
    shares = dict.fromkeys(space.spaces, 0)
    while left:
        for model in shares:
            if left and not (grid and shares[model] == space.spaces[model].grid_size):
                shares[model] += 1
                left -= 1
    return shares
