"""The read side as it is now: it may appear, be made again and go away while a process runs."""

import threading
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from bopis.ports import OrderProjection
from bopis.readside import queries
from bopis.readside.engine import SQLITE, connect
from bopis.readside.queries.orders import OrdersInSql


class _FileIdentity(NamedTuple):
    """Which file it is: one that was made again under the same name is another one."""

    device: int
    inode: int


class ReadSide:
    """Opens the database of a URL when it is there. A file of SQLite is looked at again at each use: connections to one
    that was removed would answer with its old rows for ever."""

    def __init__(self, url: str) -> None:
        self._url = url
        parsed = make_url(url)
        is_file = parsed.get_backend_name() == SQLITE and parsed.database
        self._file = Path(str(parsed.database)) if is_file else None
        self._opened: _FileIdentity | None = None
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    def engine(self) -> Engine | None:
        """The database; None where there is no file."""
        found = self._identity()
        with self._opening:
            if self._engine is not None and found != self._opened:
                self._engine.dispose()
                self._engine = None
            if self._engine is None and found is not None:
                self._engine, self._opened = connect(self._url), found
            return self._engine

    def projection(self) -> OrderProjection | None:
        """The orders of the read side; None where it cannot be read: then the log alone has them."""
        engine = self.engine()
        if engine is None:
            return None
        try:
            queries.positions(engine)
        except DBAPIError:
            return None
        return OrdersInSql(engine)

    def close(self) -> None:
        """Close its connections."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _identity(self) -> _FileIdentity | None:
        if self._file is None:
            return _FileIdentity(0, 0)  # a server is always there; whether it answers is seen when it is asked
        try:
            found = self._file.stat()
        except OSError:
            return None
        return _FileIdentity(found.st_dev, found.st_ino)
