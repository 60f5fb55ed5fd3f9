"""The web process of a data directory: the file that it writes once it serves."""

import os
from pathlib import Path

import msgspec

from bopis.adapters.address import is_alive
from bopis.settings import Settings

WEB_FILE = "web.json"


class WebProcess(msgspec.Struct, frozen=True):
    """Process and address, as in its file in the data directory."""

    pid: int
    url: str


def note_web(settings: Settings, url: str) -> None:
    """Write the address of this process; readers see the whole file or the earlier one."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = settings.data_dir / WEB_FILE
    draft = file.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(WebProcess(os.getpid(), url)))
    draft.replace(file)


def web_process(data_dir: Path) -> WebProcess | None:
    """The web process that started last on a data directory; None when it does not run."""
    try:
        found = msgspec.json.decode((data_dir / WEB_FILE).read_bytes(), type=WebProcess)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if is_alive(found.pid) else None


def web_address(settings: Settings) -> str | None:
    """Where browsers reach the web process; None when none runs here and the settings name no address."""
    found = web_process(settings.data_dir)
    return found.url if found is not None else settings.web_url or None
