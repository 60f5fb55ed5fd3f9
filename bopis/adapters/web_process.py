"""The web process of a data directory: the file that it writes once it serves, and its answer about its health."""

import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from bopis.adapters.address import is_alive
from bopis.settings import Settings

WEB_FILE = "web.json"
HEALTH_PATH = "/readyz"
HEALTH_S_MAX = 5.0
HEALTH_BYTES_MAX = 1 << 16


class WebProcess(msgspec.Struct, frozen=True):
    """Process and addresses, as in its file in the data directory: `url` is where browsers reach it, `local` where
    programs of this machine do; empty where an earlier version wrote the file."""

    pid: int
    url: str
    local: str = ""


class WebHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a web process: whether it answers, whether it is ready for requests, and the age of its tables in
    milliseconds. `detail` is the reason where it is not ready."""

    alive: bool = True
    ready: bool = False
    age_ms: int | None = None
    detail: str = ""


def note_web(settings: Settings, url: str, local: str) -> None:
    """Write the addresses of this process; readers see the whole file or the earlier one."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = settings.data_dir / WEB_FILE
    draft = file.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(WebProcess(os.getpid(), url, local)))
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


def web_health(process: WebProcess, seconds: float = HEALTH_S_MAX) -> WebHealth:
    """Ask a web process for its health. Never raises: one that does not answer is not alive."""
    # Nothing is sent that a stranger could use, and a certificate is for the name that browsers know.
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody)
    )  # fmt: skip
    try:
        try:
            with direct.open((process.local or process.url) + HEALTH_PATH, timeout=seconds) as answer:
                return msgspec.json.decode(answer.read(HEALTH_BYTES_MAX), type=WebHealth)
        except urllib.error.HTTPError as refused:
            with refused:
                return msgspec.json.decode(refused.read(HEALTH_BYTES_MAX), type=WebHealth)
    except (OSError, ValueError) as error:  # no connection, no HTTP, or no answer of ours
        return WebHealth(alive=False, detail=f"it does not answer ({error})")
