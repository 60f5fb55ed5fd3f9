"""The log's address: from the settings, or from the file that the embedded log writes when it starts."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from bopis.adapters.errors import BrokerAddressInvalid, EmbeddedLogNotRunning, LogUnavailable
from bopis.broker.files import ADDRESS_FILE

if TYPE_CHECKING:  # a store agent uses this module, and has no memory for the library of settings
    from bopis.settings import Settings

CONNECT_SECONDS_MAX = 2.0
_ADDRESS = re.compile(r"(?:kafka://)?(?P<hosts>[^\s,/:]+:\d{1,5}(?:,[^\s,/:]+:\d{1,5})*)/?")
# Users may put a login into the address, as other systems accept it. An error message must not repeat a password.
_LOGIN = re.compile(r"[^/@]+@")


class EmbeddedLog(msgspec.Struct, frozen=True):
    """Process and address of the embedded log, as in its file in the data directory."""

    pid: int
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def bootstrap_address(settings: Settings) -> str:
    """HOST:PORT[,HOST:PORT] of the log.

    Raises `EmbeddedLogNotRunning`, or `LogUnavailable` when the embedded log's process exists and does not answer, or
    `BrokerAddressInvalid`.
    """
    if not settings.embedded:
        return remote_address(settings.broker)
    found = embedded_log(settings.data_dir)
    if found is None or not is_alive(found.pid):
        raise EmbeddedLogNotRunning(data_dir=settings.data_dir)
    # The process may exist and still start, or hang: a client would wait for its whole time-out.
    try:
        socket.create_connection((found.host, found.port), timeout=CONNECT_SECONDS_MAX).close()
    except OSError as error:
        raise LogUnavailable(address=found.address, cause=error.strerror or error) from error
    return found.address


def remote_address(broker: str) -> str:
    """The hosts in the setting `broker`. Raises `BrokerAddressInvalid`."""
    found = _ADDRESS.fullmatch(broker)
    if found is None:
        raise BrokerAddressInvalid(broker=_LOGIN.sub("***@", broker))
    return found["hosts"]


def embedded_log(data_dir: Path) -> EmbeddedLog | None:
    """The newest process and address of a data directory's embedded log; None if it never ran."""
    try:
        return msgspec.json.decode((data_dir / ADDRESS_FILE).read_bytes(), type=EmbeddedLog)
    except (OSError, msgspec.MsgspecError):
        return None


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs. A zombie (ended, not reaped yet) does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it runs under another user
        return True
