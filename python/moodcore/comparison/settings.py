"""Settings of `moodcore compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.settings import RunSettings, check_bool, check_choice, check_whole
from moodcore.runs.space import Space
from moodcore.runs.spaces import check_tables, family_grid, read_space

COMBINATIONS = ("vote", "stack", "none")
#: Families in the order of the tables.
MODELS = ("mlp", "svm", "linear-svm", "gbt")
#: Embedded songs by default: enough to tell the families apart, few enough for some minutes.
DEFAULT_SONGS = 40_000


@dataclass(frozen=True, kw_only=True)
class CompareSettings(RunSettings):
    """Settings of `moodcore compare`: those of every run, and the comparison.

    Attributes
    ----------
    models : tuple of str, default=("mlp", "svm", "linear-svm", "gbt")
        Families to compare.
    baselines : bool, default=True
        Whether the majority class, logistic regression and nearest neighbours are compared too.
    repeats : int, default=2
        Cross-validations, each with other folds, at least 1.
    curve_sizes : int, default=5
        Points of the learning curves; 0 for none, or at least 2.
    combine : {"vote", "stack", "none"}, default="vote"
        Combination of the models that predict probabilities: their mean, a logistic regression
        on them, or none.
    test_size : float, default=0.2
        Share of the rows that are held out for the test, in (0, 1).
    tune : bool, default=False
        Whether each training searches its hyperparameters in folds of its own rows.
    trials : int, default=8
        Candidates of such a search, at least 1. Around the defaults, these are the first; in the
        experiment, a random part of a larger grid.
    inner_folds : int, default=3
        Folds of such a search, at least 2.
    grid : mapping of str to mapping or sequence of mappings, default=None
        Hyperparameters by family, as in `moodcore.tuning.settings.TuneSettings`; a family that is
        missing has its own grid. In the experiment, hyperparameters that are not named are searched
        as in the family's own grid.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> CompareSettings(combine="vot")
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: combine 'vot' does not exist; did you mean 'vote'?
    """

    balances_songs: ClassVar[bool] = False

    models: tuple[str, ...] = MODELS
    baselines: bool = True
    repeats: int = 2
    curve_sizes: int = 5
    combine: str = "vote"
    test_size: float = 0.2
    tune: bool = False
    trials: int = 8
    inner_folds: int = 3
    grid: Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        super().__post_init__()
        self._check_models()
        least = {"repeats": 1, "curve_sizes": 0, "trials": 1, "inner_folds": 2}
        for name, value in least.items():
            check_whole(name, getattr(self, name), value)
        if self.curve_sizes == 1:
            raise ConfigError("curve_sizes must be 0 or at least 2, got 1")
        for name in ("baselines", "tune"):
            check_bool(name, getattr(self, name))
        check_choice("combine", self.combine, COMBINATIONS)
        if not (isinstance(self.test_size, float) and 0 < self.test_size < 1):
            raise ConfigError(
                f"test_size must be a float between 0.0 and 1.0, got {self.test_size!r}"
            )
        self._check_grid()

    def _check_models(self) -> None:
        if isinstance(self.models, str) or not self.models:
            raise ConfigError(f"models must name at least one model, got {self.models!r}")
        repeated = [name for name in self.models if self.models.count(name) > 1]
        if repeated:
            raise ConfigError(f"models must be different, got {repeated[0]!r} twice")

    def _check_grid(self) -> None:
        if self.grid is None:
            return
        if not self.tune:
            raise ConfigError("grid is searched by tune (--tune); set it, or leave grid out")
        if not isinstance(self.grid, Mapping):
            raise ConfigError(f"grid must have one table per family, got {self.grid!r}")
        for name, values in self.grid.items():
            if name not in self.models:
                raise unknown_name("grid: family", str(name), self.models)
            check_tables(values, f"grid: {name}", several=self.around_defaults)

    def space(self, model: str) -> Space:
        """Return the hyperparameters that the search of a family tries.

        Raises
        ------
        ConfigError
            For hyperparameters that the family does not have, and for ranges.
        """
        grid = family_grid(model, None, (self.grid or {}).get(model), base=str(self.base))
        return read_space(model, grid, base=str(self.base))
