"""What a comparison is asked to do, and the file that says it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import FAMILIES, family
from moodcore.runs.settings import check_whole
from moodcore.runs.space import Space, check_arguments, parse
from moodcore.tuning.settings import Settings

#: How the models that give probabilities are combined into one more.
COMBINATIONS = ("vote", "stack", "none")
#: Families in the order of the tables.
MODELS = ("mlp", "svm", "linear-svm", "gbt")
#: Of the embedded songs: enough to tell the families apart, few enough for some minutes.
DEFAULT_SONGS = 40_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often models are trained, and on which rows.

    Attributes
    ----------
    folds : int, default=5
        Parts of each cross-validation, at least 2.
    repeats : int, default=2
        Cross-validations, each with other folds, at least 1.
    curve_sizes : int, default=5
        Points of the learning curve, the whole of a fold among them; 0 or at least 2.
    combine : {"vote", "stack", "none"}, default="vote"
        The mean of the probabilities, a logistic regression on them, or no combination.
    test_size : float, default=0.2
        Share of the rows that are put aside for the test, in (0, 1).
    seed : int, default=0
        What every random choice derives from, at least 0.

    Raises
    ------
    ConfigError
        For a value out of range.
    """

    folds: int = 5
    repeats: int = 2
    curve_sizes: int = 5
    combine: str = "vote"
    test_size: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        for name, least in {"folds": 2, "repeats": 1, "curve_sizes": 0, "seed": 0}.items():
            check_whole(name, getattr(self, name), least)
        if self.curve_sizes == 1:
            raise ConfigError("curve_sizes must be 0 or at least 2: a curve has two ends, got 1")
        if self.combine not in COMBINATIONS:
            raise unknown_name("combine", str(self.combine), COMBINATIONS)
        if not (isinstance(self.test_size, float) and 0 < self.test_size < 1):
            raise ConfigError(
                f"test_size must be a share between 0.0 and 1.0, got {self.test_size!r}"
            )


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """What decides the results of `moodcore compare`; how many jobs work on it does not.

    Attributes
    ----------
    data, on_bad_rows, duplicates, features
        The songs, as :class:`moodcore.tuning.settings.Settings` has them.
    songs : int or None, default=None
        How many songs to use; None means all of a file, or 40,000 of the embedded ones.
    models : tuple of str, default=("mlp", "svm", "linear-svm", "gbt")
        Families to compare.
    epochs : int, default=300
        Epochs of networks, or rounds of boosting at most, at least 1.
    balance : bool, default=False
        Whether training rows are downsampled to equal classes, as `tune` does.
    folds, repeats, curve_sizes, combine, seed
        As :class:`Plan` has them.
    tune : bool, default=False
        Whether each training searches its hyperparameters in folds of its own rows.
    trials : int, default=8
        Candidates of such a search, at least 1; of a larger grid a random part.
    inner_folds : int, default=3
        Folds of such a search, at least 2.
    grid : mapping of str to mapping, default=None
        Choices by family; what is not named is searched as the family's own grid has it.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> ComparisonSettings(models=("mlp", "gbd"))
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: models: family 'gbd' does not exist; did you mean 'gbt'?
    """

    data: str | None = None
    on_bad_rows: Literal["strict", "drop"] = "strict"
    duplicates: Literal["keep", "drop"] = "keep"
    songs: int | None = None
    features: str | tuple[str, ...] = "published"
    models: tuple[str, ...] = MODELS
    epochs: int = 300
    balance: bool = False
    folds: int = 5
    repeats: int = 2
    curve_sizes: int = 5
    combine: str = "vote"
    tune: bool = False
    trials: int = 8
    inner_folds: int = 3
    grid: Mapping[str, Mapping[str, Any]] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("models", "features"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_models()
        for name, least in {"epochs": 1, "trials": 1, "inner_folds": 2}.items():
            check_whole(name, getattr(self, name), least)
        for name in ("tune", "balance"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, got {getattr(self, name)!r}")
        self.plan()
        self.experiment()
        self._check_grid()

    def _check_models(self) -> None:
        if isinstance(self.models, str) or not self.models:
            raise ConfigError(f"models must name at least one family, got {self.models!r}")
        for name in self.models:
            if name not in FAMILIES:
                raise unknown_name("models: family", str(name), FAMILIES)
        if len(set(self.models)) < len(self.models):
            raise ConfigError(f"models names a family twice: {', '.join(self.models)}")

    def _check_grid(self) -> None:
        if self.grid is None:
            return
        if not self.tune:
            raise ConfigError("grid is what --tune searches; ask for --tune too, or leave it out")
        if not isinstance(self.grid, Mapping):
            raise ConfigError(f"grid must hold a table for each family, got {self.grid!r}")
        for name, values in self.grid.items():
            if name not in self.models:
                raise unknown_name("grid: family", str(name), self.models)
            if not isinstance(values, Mapping):
                raise ConfigError(
                    f"grid: {name} must be a table of hyperparameters such as [{name}], "
                    f"got {values!r}"
                )

    def plan(self) -> Plan:
        """Return how often models are trained."""
        return Plan(
            folds=self.folds,
            repeats=self.repeats,
            curve_sizes=self.curve_sizes,
            combine=self.combine,
            seed=self.seed,
        )

    def experiment(self) -> Settings:
        """Return what the experiment's loading, splitting and preprocessing take."""
        embedded = DEFAULT_SONGS if self.data is None and self.songs is None else self.songs
        return Settings(
            data=self.data,
            on_bad_rows=self.on_bad_rows,
            duplicates=self.duplicates,
            songs=embedded,
            features=self.features,
            folds=self.folds,
            seed=self.seed,
        )

    def space(self, model: str) -> Space:
        """Return what an inner search of a family tries.

        Raises
        ------
        ConfigError
            For hyperparameters that the family does not have, and for ranges.
        """
        own = dict(family(model).grid)
        return parse(own | dict((self.grid or {}).get(model, {})), model=model)

    def check(self) -> None:
        """Let the models check their hyperparameters, before any data is read.

        Raises
        ------
        ConfigError
            For names that do not exist and values that a model refuses.
        """
        from moodcore.comparison.entrants import candidates
        from moodcore.songs.features import check_features

        check_features(self.features)
        for name in self.models:
            arguments = family(name).arguments(self.epochs, {})
            tried = candidates(self, name) if self.tune else [{}]
            for one in tried:
                check_arguments(family(name), arguments | one)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them, without those that are None."""
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        plain["models"] = list(self.models)
        if isinstance(self.features, tuple):
            plain["features"] = list(self.features)
        return plain
