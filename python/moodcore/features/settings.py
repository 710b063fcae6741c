"""What `moodcore features` is asked to do, and the file that says it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from moodcore.errors import ConfigError, unknown_name
from moodcore.features.models import EPOCHS, MODELS
from moodcore.features.plan import THRESHOLDS, Plan
from moodcore.runs.settings import check_whole

#: Of the embedded songs: enough to tell what features are worth, few enough for some minutes.
DEFAULT_SONGS = 20_000


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
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
        How many songs to use; None means all of a file, or 20,000 of the embedded ones.
    models : tuple of str, default=all of `moodcore.features.MODELS`
        Models to train.
    epochs : int, default=100
        Epochs of the network, and rounds of boosting at most, at least 1.
    thresholds, sizes, folds, repeats, seed
        As :class:`~moodcore.features.plan.Plan` has them.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> FeatureSettings(models=("gbt", "smv"))
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: model 'smv' does not exist; did you mean 'svm'?
    """

    data: str | None = None
    on_bad_rows: Literal["strict", "drop"] = "strict"
    duplicates: Literal["keep", "drop"] = "keep"
    songs: int | None = None
    models: tuple[str, ...] = MODELS
    epochs: int = EPOCHS
    thresholds: tuple[float, ...] = THRESHOLDS
    sizes: tuple[int, ...] | None = None
    folds: int = 5
    repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("models", "thresholds", "sizes"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        for name in ("on_bad_rows", "duplicates"):
            allowed = ("strict", "drop") if name == "on_bad_rows" else ("keep", "drop")
            if getattr(self, name) not in allowed:
                raise unknown_name(name, str(getattr(self, name)), allowed)
        if self.data is not None and not isinstance(self.data, str):
            raise ConfigError(f"data must be the path of a file, got {self.data!r}")
        if self.songs is not None:
            check_whole("songs", self.songs, 1)
        check_whole("epochs", self.epochs, 1)
        if isinstance(self.models, str) or not self.models:
            raise ConfigError(f"models must name at least one model, got {self.models!r}")
        for name in self.models:
            if name not in MODELS:
                raise unknown_name("model", str(name), MODELS)
        if len(set(self.models)) < len(self.models):
            raise ConfigError(f"models must name each model once, got {list(self.models)}")
        ordered = tuple(name for name in MODELS if name in self.models)
        object.__setattr__(self, "models", ordered)
        from moodcore.songs import FEATURES

        plan = self.plan()
        plan.sizes_for(len(FEATURES))
        object.__setattr__(self, "thresholds", plan.thresholds)
        object.__setattr__(self, "sizes", plan.sizes)

    def plan(self) -> Plan:
        """Return how the study is done; songs are balanced, as in `tune`."""
        return Plan(
            thresholds=self.thresholds,
            sizes=self.sizes,
            folds=self.folds,
            repeats=self.repeats,
            balance=True,
            seed=self.seed,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them."""
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in plain.items()}
