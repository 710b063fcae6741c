"""Settings of `moodcore tune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import FAMILIES, Family, family
from moodcore.runs.selection import SELECTION_METRICS
from moodcore.runs.settings import RunSettings, check_choice, check_whole
from moodcore.runs.spaces import check_tables, family_grid

STUDIES = ("grid", "optimizers")
#: Value of `model` for one search over the candidates of every family.
ALL = "all"
MODELS = (*FAMILIES, ALL)
SAMPLERS = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "halving")
DEFAULT_TRIALS = 24
REFITS = ("all", "training")


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
    base : {"experiment", "defaults"} or None, default=None
        What candidates have besides the hyperparameters of their grid: those of the song
        experiment, or the defaults of the class, which are then the first candidate of each
        family. None means "experiment" for songs and the study "optimizers", and "defaults" for
        other tables.
    refit : {"all", "training"} or None, default=None
        Rows on which the saved model is trained: "all" rows of the table, which are those of the
        training and the test, after the test of the same candidate trained on the training rows;
        or the "training" rows. None means "all" around the defaults, and "training" for the song
        experiment. Rows of a separate test table are never trained on.
    study : {"grid", "optimizers"}, default="grid"
        The whole experiment, or only the comparison of the network's optimizers.
    epochs : int or None, default=None
        As in `RunSettings`, but for the default candidates, which choose their own number.
    sampler : {"grid", "random", "tpe"}, default="grid"
        How Optuna chooses candidates.
    trials : int or None, default=None
        Number of candidates; None means the whole grid, or 24 of each family for the other
        samplers.
    pruner : {"none", "median", "halving"}, default="none"
        How Optuna stops unpromising candidates early.
    grid : mapping of str to Any, sequence of mappings, or None, default=None
        Hyperparameters of the model: a value, a list of choices, or a range
        (`{low, high, log, step}`); None means the family's own grid. Around the defaults, also
        several such tables, whose combinations are all tried. With all families, the same for
        each family, by its name; one that is missing has its own grid.

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
    refit: str | None = None
    sampler: str = "grid"
    trials: int | None = None
    pruner: str = "none"
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        super().__post_init__()
        check_choice("model", self.model, MODELS)
        check_choice("metric", self.metric, SELECTION_METRICS)
        check_choice("study", self.study, STUDIES)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("pruner", self.pruner, PRUNERS)
        if self.refit is None:
            object.__setattr__(self, "refit", "all" if self.around_defaults else "training")
        check_choice("refit", self.refit, REFITS)
        if self.trials is not None:
            check_whole("trials", self.trials, 1)
        self._check_study_and_length()
        grid = complete_grid(self.model, self.grid, base=str(self.base), sampler=self.sampler)
        object.__setattr__(self, "grid", grid)

    def _check_study_and_length(self) -> None:
        members = [family(name) for name in self.families]
        if self.study == "optimizers" and not (len(members) == 1 and members[0].optimizers):
            raise ConfigError(
                f"study optimizers compares networks; model must be 'mlp', got {self.model}"
            )
        solved = all(member.length is None for member in members)
        if solved and (self.epochs not in (None, self.experiment_epochs) or self.pruner != "none"):
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
        assert isinstance(self.grid, Mapping)
        grid = self.grid[model]
        if family(model).length is None:
            return replace(self, model=model, grid=grid, epochs=None, pruner="none")
        return replace(self, model=model, grid=grid)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them, without those that are None."""
        return super().to_dict() | {"grid": _plain(self.grid)}

    def decisive(self) -> dict[str, Any]:
        """Return the settings that the resume mark compares: not what is drawn of the results."""
        return {name: value for name, value in super().decisive().items() if name != "study"}


def searches_files(values: Mapping[str, Any]) -> bool:
    """Return whether the rows are read in batches in every training."""
    from moodcore.tables.parquet_files import is_read_in_batches

    if values.get("model") != "gbt" or values.get("rows") is not None:
        return False
    return is_read_in_batches(values.get("data"))


def complete_grid(
    model: str,
    grid: Any,
    changes: Any = None,
    *,
    base: str = "experiment",
    sampler: str = "grid",
) -> Any:
    """Return a grid, or the family's own where there is none, with some hyperparameters changed.

    Parameters
    ----------
    model : str
        A family, or "all", where grid and changes hold a table for each family.
    grid : mapping of str to Any, sequence of mappings, or None
        As in `TuneSettings`.
    changes : like grid, optional
        Hyperparameters to put in the place of those of the grid. Around the defaults they replace
        the grid of the family, whose tables are candidates of their own.
    base, sampler : str
        As in `TuneSettings`; a family's own grid depends on them.

    Raises
    ------
    ConfigError
        If they are not tables, or a table is for a family that does not exist.

    Examples
    --------
    >>> complete_grid("svm", None, {"C": [2.0]})
    {'C': [2.0], 'gamma': [0.05, 0.15, 0.5], 'kernel': 'rbf'}
    >>> complete_grid("svm", None, {"C": [2.0]}, base="defaults")
    {'C': [2.0]}
    """
    if model not in MODELS:
        raise unknown_name("model", str(model), MODELS)
    several = base == "defaults" and sampler == "grid"
    if model != ALL:
        for table in (grid, changes):
            check_tables(table, "grid", several=several)
        return family_grid(model, grid, changes, base=base, sampler=sampler)
    for tables in (grid, changes):
        check_tables(tables, "grid", several=False)
        for name, table in (tables or {}).items():
            if name not in FAMILIES:
                raise ConfigError(
                    f"{unknown_name('grid: family', name, FAMILIES)}; with model all, "
                    f"hyperparameters belong in the table of their family, such as [gbt]"
                )
            check_tables(table, f"grid: {name}", several=several)
    return {
        name: family_grid(
            name, (grid or {}).get(name), (changes or {}).get(name), base=base, sampler=sampler
        )
        for name in FAMILIES
    }


def fewest_steps(settings: TuneSettings) -> int:
    """Return the number of epochs or rounds of the family that has the fewest by default."""
    if settings.epochs is not None:
        return settings.epochs
    kinds = [family(name) for name in settings.families]
    return min(kind.steps({}) for kind in kinds if kind.length is not None or len(kinds) == 1)


def _plain(grid: Any) -> Any:
    """Return a grid with lists in the place of tuples, as it is read from a file."""
    if isinstance(grid, Mapping):
        return {name: _plain(value) for name, value in grid.items()}
    return [_plain(value) for value in grid] if isinstance(grid, list | tuple) else grid
