"""What a run of the experiment is asked to do, and the file that says it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import FAMILIES, Family, family
from moodcore.runs.settings import settings_of

STUDIES = ("grid", "optimizers")
#: What `model` is when candidates of every family stand in one search.
ALL = "all"
MODELS = (*FAMILIES, ALL)
SAMPLERS = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "halving")
DEFAULT_TRIALS = 24
_EPOCHS = 300


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the results of a run; how many jobs work on it does not.

    Attributes
    ----------
    data : str or None, default=None
        File of songs (CSV or Parquet); None means the embedded synthetic songs.
    on_bad_rows : {"strict", "drop"}, default="strict"
        What `moodcore.songs.read` does with unusable rows.
    duplicates : {"keep", "drop"}, default="keep"
        What `moodcore.songs.read` does with repeated rows.
    songs : int or None, default=None
        How many songs to use; None means all.
    features : str or tuple of str, default="published"
        `"published"`, `"all"`, `"uncorrelated"` (what `CorrelationFilter` leaves), or names.
    model : {"mlp", "gbt", "svm", "linear-svm", "all"}, default="mlp"
        The family of models: the network, boosted trees or support vector machines; or all of
        them in one search.
    study : {"grid", "optimizers"}, default="grid"
        The whole experiment, or only the comparison of the network's optimizers.
    folds : int, default=5
        Parts of the cross-validation, at least 2.
    epochs : int, default=300
        Passes over the training rows for every candidate, or rounds of boosting, at least 1;
        nothing for support vector machines, which are solved.
    sampler : {"grid", "random", "tpe"}, default="grid"
        How Optuna picks candidates.
    trials : int or None, default=None
        Candidates to try; None means the whole grid, or 24 of each family when they are drawn.
    pruner : {"none", "median", "halving"}, default="none"
        How Optuna ends hopeless candidates early.
    seed : int, default=0
        What every random choice derives from, at least 0.
    grid : mapping of str to Any or None, default=None
        Hyperparameters of the model: a value, a list of choices, or a range
        (`{low, high, log, step}`); None means the family's own grid. With all families, a
        table of these for each family, by its name; one that is missing has its own grid.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> Settings(folds=3).folds
    3
    >>> Settings(sampler="gird")
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: sampler 'gird' does not exist; did you mean 'grid'?
    """

    data: str | None = None
    on_bad_rows: Literal["strict", "drop"] = "strict"
    duplicates: Literal["keep", "drop"] = "keep"
    songs: int | None = None
    features: str | tuple[str, ...] = "published"
    model: str = "mlp"
    study: str = "grid"
    folds: int = 5
    epochs: int = _EPOCHS
    sampler: str = "grid"
    trials: int | None = None
    pruner: str = "none"
    seed: int = 0
    grid: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        choices = {
            "on_bad_rows": ("strict", "drop"),
            "duplicates": ("keep", "drop"),
            "model": MODELS,
            "study": STUDIES,
            "sampler": SAMPLERS,
            "pruner": PRUNERS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise unknown_name(name, str(getattr(self, name)), allowed)
        for name, least in {"songs": 1, "folds": 2, "epochs": 1, "trials": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value is None and name in ("songs", "trials"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} must be a whole number of at least {least}, got {value}")
        self._check_study_and_length()
        object.__setattr__(self, "grid", complete_grid(self.model, self.grid))
        if isinstance(self.features, list):
            object.__setattr__(self, "features", tuple(self.features))

    def _check_study_and_length(self) -> None:
        members = [family(name) for name in self.families]
        if self.study == "optimizers" and not (len(members) == 1 and members[0].optimizers):
            raise ConfigError(
                f"study optimizers compares networks; model must be mlp, got {self.model}"
            )
        solved = all(member.length is None for member in members)
        if solved and (self.epochs, self.pruner) != (_EPOCHS, "none"):
            raise ConfigError(
                f"model {self.model} is solved, not trained in epochs: leave epochs "
                f"({self.epochs}) and pruner ({self.pruner}) out"
            )

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families whose candidates are tried."""
        return tuple(FAMILIES) if self.model == ALL else (self.model,)

    @property
    def family(self) -> Family:
        """What the experiment knows of the family of models; there is none for all of them."""
        return family(self.model)

    def of(self, model: str) -> Settings:
        """Return the settings of one of the families alone.

        Examples
        --------
        >>> Settings(model="all", epochs=9).of("svm").grid["C"]
        [1.0, 3.0, 10.0, 30.0]
        """
        if self.model != ALL:
            return self
        grid = (self.grid or {})[model]
        if family(model).length is None:
            return replace(self, model=model, grid=grid, epochs=_EPOCHS, pruner="none")
        return replace(self, model=model, grid=grid)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them, without those that are None."""
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        if isinstance(self.features, tuple):
            plain["features"] = list(self.features)
        plain["grid"] = dict(self.grid or {})
        return plain


def complete_grid(model: str, grid: Any, changes: Mapping[str, Any] | None = None) -> Any:
    """Return a grid, or the family's own where there is none, with some hyperparameters changed.

    Parameters
    ----------
    model : str
        A family, or "all", where grid and changes hold a table for each family.
    grid : mapping of str to Any or None
        As in `Settings`.
    changes : mapping of str to Any, optional
        Hyperparameters to put in the place of those of the grid.

    Raises
    ------
    ConfigError
        If they are not tables, or a table is for a family that does not exist.

    Examples
    --------
    >>> complete_grid("svm", None, {"C": [2.0]})
    {'C': [2.0], 'gamma': [0.05, 0.15, 0.5], 'kernel': 'rbf'}
    """
    if model not in MODELS:
        raise unknown_name("model", str(model), MODELS)
    for table in (grid, changes):
        if table is not None and not isinstance(table, Mapping):
            raise ConfigError(f"grid must be a table of hyperparameters, got {table!r}")
    if model != ALL:
        return dict(family(model).grid if grid is None else grid) | dict(changes or {})
    for table in (grid or {}, changes or {}):
        for name, value in table.items():
            if name not in FAMILIES:
                raise ConfigError(
                    f"{unknown_name('grid: family', name, FAMILIES)}; with model all, "
                    f"hyperparameters stand in the table of their family, such as [gbt]"
                )
            if not isinstance(value, Mapping):
                raise ConfigError(f"grid: {name} must be a table of hyperparameters, got {value!r}")
    return {
        name: complete_grid(name, (grid or {}).get(name), (changes or {}).get(name))
        for name in FAMILIES
    }


def from_mapping(values: Mapping[str, Any], *, where: str = "settings") -> Settings:
    """Return the settings of `moodcore tune` that `values` holds (see `settings_of`).

    Examples
    --------
    >>> from_mapping({"epochs": 3}).epochs
    3
    """
    return settings_of(Settings, values, where=where)
