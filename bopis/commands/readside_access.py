"""The way from a command to the read side, and its failures in words that say what to do next."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bopis.commands.errors import (
    InvalidInput,
    ReadSideMissing,
    ReadSideUnreachable,
    RoleTooStrong,
    SettingsBroken,
    StoreUnknown,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bopis.readside.queries.answers import StoreAnswer
    from bopis.settings import Settings

NEAR_MAX = 3
_NO_TABLE = ("no such table", "no such column", "does not exist")


@contextmanager
def opened(settings: "Settings", create: bool = False) -> Iterator["Engine"]:
    """The read side's engine: as whoever writes it with `create`, else as whoever may only ask.

    A table or a server that is not there is told as such.
    """
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    from bopis.readside.engine import connect
    from bopis.readside.errors import CursorInvalid, SchemaAbsent, UrlUnsupported

    try:
        url = shown_url(settings, create)
        # Before connecting, which would make the file and its directory.
        if not create and (file := sqlite_file(settings, create)) is not None and not file.exists():
            raise ReadSideMissing(url=url, cause="no file")
        engine = connect(_url(settings, create))
    except (ArgumentError, NoSuchModuleError, UrlUnsupported, ImportError) as error:
        raise SettingsBroken(problems=f"database: {error}") from error
    try:
        yield engine
    except SchemaAbsent as error:
        raise ReadSideMissing(url=url, cause="tables of another version") from error
    except CursorInvalid as error:
        raise InvalidInput(problem=str(error)) from error
    except DBAPIError as error:
        words = str(error.orig).strip().splitlines()[0]
        if any(it in words for it in _NO_TABLE):
            raise ReadSideMissing(url=url, cause=words) from error
        raise ReadSideUnreachable(url=url, cause=words) from error
    finally:
        engine.dispose()


def shown_url(settings: "Settings", create: bool = False) -> str:
    """The URL of the read side without its password."""
    from sqlalchemy.engine import make_url

    return make_url(_url(settings, create)).render_as_string(hide_password=True)


def sqlite_file(settings: "Settings", create: bool = False) -> Path | None:
    """The file of a read side in SQLite."""
    from sqlalchemy.engine import make_url

    url = make_url(_url(settings, create))
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _url(settings: "Settings", create: bool) -> str:
    return settings.database_url if create else settings.database_reader_url


@contextmanager
def roles_told() -> Iterator[None]:
    """What is wrong with a role, in the words of a command."""
    from bopis.readside.errors import RoleNameUnfit, RolesUnsupported
    from bopis.readside.errors import RoleTooStrong as MayDoMore

    try:
        yield
    except RolesUnsupported as error:
        raise SettingsBroken(problems=f"database: {error}") from error
    except RoleNameUnfit as error:
        raise InvalidInput(problem=str(error)) from error
    except MayDoMore as error:
        raise RoleTooStrong(**error.facts) from error


def password_of(file: Path | None) -> str | None:
    """The password in the file; raises `InvalidInput` for one that is not there or is empty."""
    if file is None:
        return None
    try:
        password = file.read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(problem=f"{file}: {error}") from error
    if not password:
        raise InvalidInput(problem=f"{file}: it is empty")
    return password


def known_store(engine: "Engine", store: str) -> "StoreAnswer":
    """The store; raises `StoreUnknown` with the nearest name when it was neither imported nor ever heard of."""
    from bopis.readside import queries
    from bopis.readside.errors import StoreUnknown as NoSuchStore

    try:
        return queries.one_store(engine, store)
    except NoSuchStore:
        pass
    stores = queries.all_stores(engine)
    near = difflib.get_close_matches(store, [it.store for it in stores], 3, 0.5)
    near += [it.store for it in stores if store.lower() in it.name.lower()][:3]
    hint = f"; did you mean {' or '.join(list(dict.fromkeys(near))[:NEAR_MAX])}" if near else ""
    raise StoreUnknown(store=store, hint=hint)
