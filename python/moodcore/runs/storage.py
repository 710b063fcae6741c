"""Storage of a study: a file of the run folder, or a database that several processes share."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moodcore.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    import optuna
    from sqlalchemy.engine import URL

DEFAULT_NAME = "moodcore"
FORM = "postgresql://USER@HOST:5432/DATABASE"
# Seconds between heartbeats, and after which a process without one counts as dead. If it is not,
# its candidates are trained twice, with the same result.
HEARTBEAT = 2
GRACE = 10
# Seconds that a database may take to answer.
_TIMEOUT = 5
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_DATABASES = ("postgresql", "mysql", "mariadb", "sqlite")
# Processes that create the tables at the same moment block each other.
_ATTEMPTS = 6


@dataclass(frozen=True)
class Storage:
    """URL (SQLAlchemy's) and name of a study, and whether several processes may work on it."""

    url: str
    name: str
    shared: bool

    @classmethod
    def of_file(cls, path: Path) -> Storage:
        """Return the storage of a study that belongs to one run."""
        from sqlalchemy.engine import URL

        # As a URI, in which any name can be written, one that is not UTF-8 too.
        url = URL.create("sqlite", database=path.resolve().as_uri(), query={"uri": "true"})
        return cls(url.render_as_string(), "search", shared=False)

    @classmethod
    def of_url(cls, url: str, name: str = DEFAULT_NAME) -> Storage:
        """Return the storage of a study in a database that several processes share.

        Raises
        ------
        ConfigError
            If it is no database URL, or the driver of the database is not installed.

        Examples
        --------
        >>> place = Storage.of_url("sqlite:////tmp/studies.db")
        >>> place.name, place.shared
        ('moodcore', True)
        """
        parsed = _parse(url)
        if not name.strip():
            raise ConfigError("study-name must not be empty; leave it out for 'moodcore'")
        return cls(parsed.render_as_string(hide_password=False), name, shared=True)

    @property
    def shown(self) -> str:
        """The URL without its password."""
        from sqlalchemy.engine import URL

        url = _parse(self.url)
        bare = URL.create(
            url.get_backend_name(), url.username, None, url.host, url.port, url.database, url.query
        )
        return bare.difference_update_query(["password"]).render_as_string()

    def connect(self) -> optuna.storages.RDBStorage:
        """Open the storage, and create its tables if there are none.

        Raises
        ------
        ConnectionError
            If the database does not answer within seconds, or refuses the login.
        """
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        beats = {"heartbeat_interval": HEARTBEAT, "grace_period": GRACE} if self.shared else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    return optuna.storages.RDBStorage(
                        self.url, engine_kwargs=self._engine_arguments(), **beats
                    )
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
                if attempt == _ATTEMPTS or _is_unreachable(error):
                    raise self._explained(error) from None
                time.sleep(0.1 * attempt)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of a lost database into a `ConnectionError` that says what to do."""
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise self._explained(error) from None

    def _engine_arguments(self) -> dict[str, Any]:
        if _parse(self.url).get_backend_name() == "sqlite":
            return {}
        # A restarted server gets a new connection.
        return {"connect_args": {"connect_timeout": _TIMEOUT}, "pool_pre_ping": True}

    def _explained(self, error: Exception) -> ConnectionError:
        url = _parse(self.url)
        said = _first_line(error)
        if not self.shared:
            path = unquote(str(url.database).removeprefix("file://"), errors="surrogateescape")
            return ConnectionError(f"{path}: {said}")
        if not _is_unreachable(error) or url.get_backend_name() == "sqlite":
            return ConnectionError(f"the database {self.shown} refuses: {said}")
        if "FATAL" in said:
            return ConnectionError(
                f"the database {self.shown} refuses the login: {said}; check user, password "
                "(the variable PGPASSWORD or ~/.pgpass) and database (createdb makes one)"
            )
        return ConnectionError(
            f"no database answers at {self.shown}: {said}; start its server there "
            f"(PostgreSQL of Debian: systemctl start postgresql), or correct the address ({FORM})"
        )


def _parse(url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        dialect = parsed.get_dialect()
    except NoSuchModuleError:
        raise unknown_name("storage: database", parsed.get_backend_name(), _DATABASES) from None
    except (ArgumentError, ValueError):
        raise ConfigError(f"storage {url!r} is not the address of a database: {FORM}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(f"storage {url!r} lies in memory and cannot be shared: {FORM}")
    try:
        dialect.import_dbapi()
    except ImportError as error:
        extra = "postgres" if parsed.get_backend_name() == "postgresql" else None
        package = f"'moodcore[{extra}]'" if extra else error.name
        raise ConfigError(
            f"storage: {parsed.drivername} needs the package {error.name}: pip install {package}"
        ) from None
    return parsed


def _is_unreachable(error: BaseException) -> bool:
    from sqlalchemy.exc import InterfaceError, OperationalError

    causes = (error, error.__cause__, error.__context__)
    return any(isinstance(cause, OperationalError | InterfaceError) for cause in causes)


def _first_line(error: BaseException) -> str:
    from sqlalchemy.exc import DBAPIError

    for cause in (error, error.__cause__, error.__context__):
        if isinstance(cause, DBAPIError) and cause.orig is not None:
            error = cause.orig
            break
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
