"""Settings of `moodcore tune`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import FAMILIES, Family, family
from moodcore.runs.settings import RunSettings, check_choice, check_whole
from moodcore.tuning.selection import SELECTION_METRICS

STUDIES = ("grid", "optimizers")
#: Value of `model` for one search over the candidates of every family.
ALL = "all"
MODELS = (*FAMILIES, ALL)
SAMPLERS = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "halving")
DEFAULT_TRIALS = 24
_EPOCHS = 300


@dataclass(frozen=True, kw_only=True)
class TuneSettings(RunSettings):
    """Settings of `moodcore tune`: those of every run, and the search.

    Attributes
    ----------
    model : {"mlp", "gbt", "svm", "linear-svm", "all"}, default="mlp"
        Model family, or all of them in one search.
    metric : str, default="accuracy"
        Metric by which candidates are compared: "accuracy", "balanced_accuracy", "f1_macro",
        "log_loss" or "roc_auc" (one class against the rest, macro average).
    study : {"grid", "optimizers"}, default="grid"
        The whole experiment, or only the comparison of the network's optimizers.
    epochs : int, default=300
        Epochs of networks, or boosting rounds, at least 1; support vector machines have none.
    sampler : {"grid", "random", "tpe"}, default="grid"
        How Optuna chooses candidates.
    trials : int or None, default=None
        Number of candidates; None means the whole grid, or 24 of each family for the other
        samplers.
    pruner : {"none", "median", "halving"}, default="none"
        How Optuna stops unpromising candidates early.
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
    >>> TuneSettings(folds=3).folds
    3
    >>> TuneSettings(sampler="gird")
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: sampler 'gird' does not exist; did you mean 'grid'?
    """

    model: str = "mlp"
    metric: str = "accuracy"
    study: str = "grid"
    epochs: int = _EPOCHS
    sampler: str = "grid"
    trials: int | None = None
    pruner: str = "none"
    grid: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        super().__post_init__()
        check_choice("model", self.model, MODELS)
        check_choice("metric", self.metric, SELECTION_METRICS)
        check_choice("study", self.study, STUDIES)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("pruner", self.pruner, PRUNERS)
        check_whole("epochs", self.epochs, 1)
        if self.trials is not None:
            check_whole("trials", self.trials, 1)
        self._check_study_and_length()
        object.__setattr__(self, "grid", complete_grid(self.model, self.grid))

    def _check_study_and_length(self) -> None:
        members = [family(name) for name in self.families]
        if self.study == "optimizers" and not (len(members) == 1 and members[0].optimizers):
            raise ConfigError(
                f"study optimizers compares networks; model must be 'mlp', got {self.model}"
            )
        solved = all(member.length is None for member in members)
        if solved and (self.epochs, self.pruner) != (_EPOCHS, "none"):
            raise ConfigError(
                f"model {self.model} is not trained in epochs: leave out epochs ({self.epochs}) "
                f"and pruner ({self.pruner})"
            )

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families whose candidates are tried."""
        if self.model != ALL:
            return (self.model,)
        return tuple(name for name in FAMILIES if self.can_measure(name))

    def can_measure(self, model: str) -> bool:
        """Whether the metric can be computed for a family: some need probabilities."""
        return family(model).probabilities or not SELECTION_METRICS[self.metric].needs_probabilities

    @property
    def family(self) -> Family:
        """The model family; there is none for all of them."""
        return family(self.model)

    def of(self, model: str) -> TuneSettings:
        """Return the settings of one of the families alone.

        Examples
        --------
        >>> TuneSettings(model="all", epochs=9).of("svm").grid["C"]
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
        return super().to_dict() | {"grid": dict(self.grid or {})}

    def decisive(self) -> dict[str, Any]:
        """Return the settings that the resume mark compares: not what is drawn of the results."""
        return {name: value for name, value in super().decisive().items() if name != "study"}


def complete_grid(model: str, grid: Any, changes: Mapping[str, Any] | None = None) -> Any:
    """Return a grid, or the family's own where there is none, with some hyperparameters changed.

    Parameters
    ----------
    model : str
        A family, or "all", where grid and changes hold a table for each family.
    grid : mapping of str to Any or None
        As in `TuneSettings`.
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
                    f"hyperparameters belong in the table of their family, such as [gbt]"
                )
            if not isinstance(value, Mapping):
                raise ConfigError(f"grid: {name} must be a table of hyperparameters, got {value!r}")
    return {
        name: complete_grid(name, (grid or {}).get(name), (changes or {}).get(name))
        for name in FAMILIES
    }
