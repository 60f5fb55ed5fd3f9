"""Where the log is: an address from the settings, or what the embedded log wrote down when it started."""

import re
import socket
from pathlib import Path

import msgspec
import psutil

from bopis.adapters.errors import BrokerAddressBroken, LogUnavailable, NothingRuns
from bopis.settings import Settings

BROKER_FILE = "broker.json"
CONNECT_SECONDS_MAX = 2.0
_ADDRESS = re.compile(r"(?:kafka://)?(?P<hosts>[^\s,/:]+:\d{1,5}(?:,[^\s,/:]+:\d{1,5})*)/?")
# Somebody may write a login into the address, as other systems take it; a message does not repeat it.
_LOGIN = re.compile(r"[^/@]+@")


class EmbeddedLog(msgspec.Struct, frozen=True):
    """What the embedded log says about itself in the data directory."""

    pid: int
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def bootstrap_address(settings: Settings) -> str:
    """HOST:PORT[,HOST:PORT] of the log. Raises `NothingRuns` when the embedded log is not up."""
    if not settings.embedded:
        return remote_address(settings.broker)
    found = embedded_log(settings.data_dir)
    if found is None or not is_alive(found.pid):
        raise NothingRuns(data_dir=settings.data_dir)
    try:
        socket.create_connection((found.host, found.port), timeout=CONNECT_SECONDS_MAX).close()
    except OSError as error:
        raise LogUnavailable(address=found.address, cause=error.strerror or error) from error
    return found.address


def remote_address(broker: str) -> str:
    """The hosts in the setting `broker`."""
    found = _ADDRESS.fullmatch(broker)
    if found is None:
        raise BrokerAddressBroken(broker=_LOGIN.sub("***@", broker))
    return found["hosts"]


def embedded_log(data_dir: Path) -> EmbeddedLog | None:
    """What the embedded log of a data directory last said about itself, None if it never ran."""
    try:
        return msgspec.json.decode((data_dir / BROKER_FILE).read_bytes(), type=EmbeddedLog)
    except (OSError, msgspec.MsgspecError):
        return None


def is_alive(pid: int) -> bool:
    """Whether a process runs under this number; one that has ended and waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
