"""Settings of any run: the data and how it is split; checks, and TOML files."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast
from urllib.parse import quote, unquote_to_bytes

from moodcore.errors import ConfigError, unknown_name
from moodcore.files import no_such_file
from moodcore.runs.families import family

if TYPE_CHECKING:
    from moodcore.tables import Dataset

Kind = TypeVar("Kind")

# Where the same bytes are stored changes no result.
_PATHS = ("data", "test")
_FILE_URI = "file://"
#: Whose hyperparameters models have, unless they are named.
BASES = ("experiment", "defaults")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of every run: what decides its results; how many jobs work on it does not.

    Attributes
    ----------
    data : str or None, default=None
        Table file; None means the embedded synthetic songs.
    target : str or None, default=None
        Column of the labels; None means that the table holds songs.
    test : str or None, default=None
        Table file for the test; None means a stratified fifth of the rows.
    id : str or None, default=None
        Column that identifies the rows in results.
    drop : tuple of str, default=()
        Columns that are not features.
    features : str, tuple of str or None, default=None
        "all", names of columns, or for songs "published" or "uncorrelated" (what
        `CorrelationFilter` leaves); None means "published" for songs and "all" for other tables.
    rows : int or None, default=None
        Rows to use, a stratified sample; None means all.
    on_bad_rows : {"strict", "drop"}, default="strict"
        Whether unusable rows raise an error or are dropped.
    duplicates : {"keep", "drop"}, default="keep"
        Whether repeated rows are kept or dropped.
    balance : bool or None, default=None
        Whether training rows are downsampled to equal classes; None means the default of the
        command for this kind of data.
    base : {"experiment", "defaults"} or None, default=None
        Hyperparameters of the families that are not named otherwise: those of the song experiment,
        or the defaults of their classes. None means the experiment for songs, which have no target,
        and the defaults for other tables.
    epochs : int or None, default=None
        Epochs of networks, or maximum number of boosting rounds, at least 1; support vector
        machines have none. None means `experiment_epochs` in the experiment; elsewhere, each model
        chooses its own number.
    folds : int, default=5
        Folds of the cross-validation, at least 2.
    seed : int, default=0
        Seed from which every random choice derives, at least 0.

    Raises
    ------
    ConfigError
        For a value out of range.
    """

    #: Whether songs are balanced where `balance` is None; other tables are not.
    balances_songs: ClassVar[bool] = True
    #: Epochs of the song experiment.
    experiment_epochs: ClassVar[int] = 300

    data: str | None = None
    target: str | None = None
    test: str | None = None
    id: str | None = None
    drop: tuple[str, ...] = ()
    features: str | tuple[str, ...] | None = None
    rows: int | None = None
    on_bad_rows: Literal["strict", "drop"] = "strict"
    duplicates: Literal["keep", "drop"] = "keep"
    balance: bool | None = None
    base: str | None = None
    epochs: int | None = None
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(value))
        for name in ("data", "target", "test", "id"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                raise ConfigError(f"{name} must be a str, got {value!r}")
        if isinstance(self.drop, str) or not all(isinstance(name, str) for name in self.drop):
            raise ConfigError(f"drop must be a list of column names, got {self.drop!r}")
        check_choice("on_bad_rows", self.on_bad_rows, ("strict", "drop"))
        check_choice("duplicates", self.duplicates, ("keep", "drop"))
        check_whole("folds", self.folds, 2)
        check_whole("seed", self.seed, 0)
        if self.rows is not None:
            check_whole("rows", self.rows, 1)
        if self.balance is not None:
            check_bool("balance", self.balance)
        if self.base is None:
            object.__setattr__(self, "base", default_base(vars(self)))
        check_choice("base", self.base, BASES)
        if self.epochs is None and not self.around_defaults:
            object.__setattr__(self, "epochs", self.experiment_epochs)
        if self.epochs is not None:
            check_whole("epochs", self.epochs, 1)

    @property
    def around_defaults(self) -> bool:
        """Whether models have the defaults of their classes, or hyperparameters around them."""
        return self.base == "defaults"

    def arguments(self, model: str) -> dict[str, Any]:
        """Return the hyperparameters of a family, without those that a search tries."""
        if self.around_defaults:
            return family(model).arguments_as_called(self.epochs)
        assert self.epochs is not None
        return family(model).arguments(self.epochs, {})

    def is_balanced(self, dataset: Dataset) -> bool:
        """Whether training rows are downsampled to equal classes."""
        if self.balance is not None:
            return self.balance
        return self.balances_songs and dataset.preset == "songs"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them, without those that are None."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None and not (name == "drop" and not value)
        }

    def decisive(self) -> dict[str, Any]:
        """Return the settings that the resume mark compares: all but the paths of files."""
        return {name: value for name, value in self.to_dict().items() if name not in _PATHS}


def default_base(values: Mapping[str, Any]) -> str:
    """Return the base for settings by name, of which some may be missing.

    It is the experiment for songs, which have no target, and for its comparison of optimizers.
    """
    is_experiment = values.get("target") is None or values.get("study") == "optimizers"
    return "experiment" if is_experiment else "defaults"


def with_seed(settings: Mapping[str, Any], random_state: int | None) -> dict[str, Any]:
    """Return settings whose `seed` is `random_state`, unless that is None.

    Raises
    ------
    ConfigError
        If both are passed.

    Examples
    --------
    >>> with_seed({"folds": 3}, 7)
    {'folds': 3, 'seed': 7}
    """
    if random_state is None:
        return dict(settings)
    if "seed" in settings:
        raise ConfigError("random_state and seed are the same setting; pass one of them")
    return {**settings, "seed": random_state}


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise a `ConfigError` unless a value is an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} must be an int of at least {least}, got {value!r}")


def check_bool(name: str, value: Any) -> None:
    """Raise a `ConfigError` unless a value is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, got {value!r}")


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise a `ConfigError` unless a value is one of `allowed`."""
    if value not in allowed:
        raise unknown_name(name, str(value), allowed)


def settings_of(
    kind: Callable[..., Kind], values: Mapping[str, Any], *, where: str = "settings"
) -> Kind:
    """Return the settings of a kind that `values` holds; what is missing has its default.

    Raises
    ------
    ConfigError
        For a name that is no setting, or a value out of range.
    """
    names = [field.name for field in fields(cast(Any, kind))]
    for name in values:
        if name not in names:
            raise unknown_name(f"{where}: setting", name, names)
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file: UTF-8, or UTF-16 or Latin-1 as some editors write them.

    Raises
    ------
    ConfigError
        If it is missing or not TOML; the message has the file and the line.
    """
    from moodcore.tables.text_files import decode_text

    try:
        values = tomllib.loads(decode_text(Path(path).read_bytes()))
    except FileNotFoundError:
        raise ConfigError(str(no_such_file(Path(path)))) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; a TOML file is needed") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: must be a TOML file: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    for name in _PATHS:
        if str(values.get(name)).startswith(_FILE_URI):
            values[name] = os.fsdecode(unquote_to_bytes(values[name].removeprefix(_FILE_URI)))
    return values


def write_toml(settings: RunSettings, command: str) -> str:
    """Return the text of a `config.toml` that gives these settings again to a command."""
    import tomli_w

    values = settings.to_dict()
    for name in set(_PATHS) & values.keys():
        if not _is_text(values[name]):
            # A name that is not UTF-8, which TOML does not hold, is written as a file URI.
            values[name] = f"{_FILE_URI}{quote(os.fsencode(values[name]))}"
    return (
        f"# Settings of this run. To repeat it: moodcore {command} --config config.toml\n"
        + tomli_w.dumps(values)
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
