"""Opening the read side for a command, with its failures as errors that say what to do next."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from bopis.cli.app.errors import (
    InvalidInput,
    ReadSideDamaged,
    ReadSideMissing,
    ReadSideUnreachable,
    RoleTooStrong,
    SettingsBroken,
    StoreUnknown,
)
from bopis.errors import DatabaseUrlInvalid
from bopis.readside import errors, queries
from bopis.readside.engine import Source, connect, is_damaged, shown
from bopis.readside.queries.answers import StoreAnswer
from bopis.settings import Settings

SUGGESTIONS_MAX = 3
SIMILARITY_LEAST = 0.5
_NO_TABLE = ("no such table", "no such column", "does not exist")


@contextmanager
def opened(settings: Settings, create: bool = False) -> Iterator[Engine]:
    """The read side's engine: the writer's with `create`, else the reader's.

    Raises `SettingsBroken`, `ReadSideMissing` or `ReadSideUnreachable`, also for what fails while it is open.
    """
    try:
        url = shown_url(settings, create)
        # Before connecting, which would make the file and its directory.
        if not create and (file := sqlite_file(settings, create)) is not None and not file.exists():
            raise ReadSideMissing(url=url, cause="no file")
        engine = connect(_url(settings, create))
    except (ArgumentError, NoSuchModuleError, errors.UrlUnsupported, ImportError) as error:
        raise SettingsBroken(problems=f"database: {error}") from error
    try:
        yield engine
    except errors.SchemaAbsent as error:
        raise ReadSideMissing(url=url, cause="tables of another version") from error
    except errors.CursorInvalid as error:
        raise InvalidInput(problem=str(error)) from error
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines()[0]
        if any(part in cause for part in _NO_TABLE):
            raise ReadSideMissing(url=url, cause=cause) from error
        if is_damaged(error):
            raise ReadSideDamaged(url=url, cause=cause) from error
        raise ReadSideUnreachable(url=url, cause=cause) from error
    finally:
        engine.dispose()


def shown_url(settings: Settings, create: bool = False) -> str:
    """The URL of the read side without its password. Raises `DatabaseUrlInvalid`."""
    try:
        return shown(_url(settings, create))
    except ArgumentError as error:
        raise DatabaseUrlInvalid(cause=error) from error


def sqlite_file(settings: Settings, create: bool = False) -> Path | None:
    """The file of a read side in SQLite; None for another database."""
    url = make_url(_url(settings, create))
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


@contextmanager
def role_errors() -> Iterator[None]:
    """Raise errors about a database role as errors of the command."""
    try:
        yield
    except errors.RolesUnsupported as error:
        raise SettingsBroken(problems=f"database: {str(error).rstrip('.')}") from error
    except errors.RoleNameUnfit as error:
        raise InvalidInput(problem=str(error)) from error
    except errors.RoleNotReadOnly as error:
        raise RoleTooStrong(**error.facts) from error


def password_of(file: Path | None) -> str | None:
    """The password in the file; raises `InvalidInput` for a file that does not exist or is empty."""
    if file is None:
        return None
    try:
        password = file.read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(problem=f"{file}: {error}") from error
    if not password:
        raise InvalidInput(problem=f"{file}: the file is empty")
    return password


def known_store(source: Source, store: str) -> StoreAnswer:
    """The store; raises `StoreUnknown` with similar ids when it was never imported and no till of it has reported."""
    try:
        return queries.one_store(source, store)
    except errors.StoreAbsent:
        pass
    # A number that only a till has sent is no suggestion.
    never = {it.store for it in queries.unknown_stores(source)}
    stores = [it for it in queries.all_stores(source) if it.store not in never]
    similar = difflib.get_close_matches(store, [it.store for it in stores], SUGGESTIONS_MAX, SIMILARITY_LEAST)
    similar += [it.store for it in stores if store.lower() in it.name.lower()][:SUGGESTIONS_MAX]
    names = list(dict.fromkeys(similar))[:SUGGESTIONS_MAX]
    raise StoreUnknown(store=store, hint=f"; did you mean {' or '.join(names)}" if names else "")


def known_or_stocked(snapshot: Connection, store: str) -> StoreAnswer | None:
    """The store; None for one that has stock and was never imported. Raises `StoreUnknown`."""
    if queries.levels(snapshot, store, now=datetime.now(UTC), page=queries.Page(limit=1)).levels:
        try:
            return queries.one_store(snapshot, store)
        except errors.StoreAbsent:
            return None
    return known_store(snapshot, store)


def zone_of(store: StoreAnswer | None) -> tzinfo:
    """The time zone of a store; UTC where none is known."""
    try:
        return ZoneInfo(store.time_zone) if store and store.time_zone != "UTC" else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def zones_of(source: Source) -> dict[str, tzinfo]:
    """The time zone of each store that was imported: times about a store are on its own clock."""
    return {it.store: zone_of(it) for it in queries.all_stores(source)}


def _url(settings: Settings, create: bool) -> str:
    return settings.database_url if create else settings.database_reader_url
