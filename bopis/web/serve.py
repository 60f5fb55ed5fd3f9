"""Serves the app until SIGTERM or SIGINT."""

import asyncio
import socket
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from bopis.adapters.address import bootstrap_address
from bopis.adapters.errors import EmbeddedLogNotRunning, LogUnavailable
from bopis.adapters.http_server import HttpServer
from bopis.adapters.web_process import note_web
from bopis.settings import Settings
from bopis.web.api import ENDPOINTS
from bopis.web.app import create_app
from bopis.web.compose import opened_site, running
from bopis.web.errors import NotOnLoopback
from bopis.web.pages.table import page_routes
from bopis.web.site import Site, real_now_ms

SHUTDOWN_S = 5
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Addresses that mean all of a machine, with the one under which it reaches itself.
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
BACKLOG = 2_048
LOG_WAIT_S = 30.0
LOG_CHECK_S = 0.1
OnReady = Callable[[str, Site], None]


def serve(settings: Settings, ready: OnReady, now_ms: Callable[[], int] = real_now_ms) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the address once the tables are loaded. `now_ms` is the log's clock.

    A log that starts at the same time is waited for. Raises `NotOnLoopback`, `OSError` when the port is taken, and the
    errors of `opened_site`.
    """
    check_exposure(settings)
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    place = (settings.web_host, settings.web_port)
    with socket.create_server(place, family=family, backlog=BACKLOG) as listener:
        wait_for_log(settings)
        with opened_site(settings, now_ms) as site:
            asyncio.run(_serve(settings, site, listener, ready))


def wait_for_log(settings: Settings, seconds: float = LOG_WAIT_S) -> None:
    """Wait until the log has an address. Raises `EmbeddedLogNotRunning` or `LogUnavailable`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            bootstrap_address(settings)
            return
        except (EmbeddedLogNotRunning, LogUnavailable):
            if time.monotonic() > deadline:
                raise
        time.sleep(LOG_CHECK_S)


def check_exposure(settings: Settings) -> None:
    """Raise `NotOnLoopback` for an address that other machines reach, without TLS and without a proxy that ends it."""
    if settings.web_host not in LOOPBACK and settings.web_cert_file is None and not settings.web_proxy:
        raise NotOnLoopback(host=settings.web_host)


async def _serve(settings: Settings, site: Site, listener: socket.socket, ready: OnReady) -> None:
    site.url = settings.web_url or local_address(settings, listener)
    async with running(site):
        app = create_app(site, ENDPOINTS, page_routes(site))
        announcing = asyncio.create_task(_announce(settings, site, local_address(settings, listener), ready))
        try:
            await _server(settings, app).serve_until_signal(listener)
        finally:
            announcing.cancel()


async def _announce(settings: Settings, site: Site, local: str, ready: OnReady) -> None:
    await asyncio.gather(*(it.wait_ready() for it in site.followers))
    note_web(settings, site.url, local)
    ready(site.url, site)


def local_address(settings: Settings, listener: socket.socket) -> str:
    """The URL under which programs of this machine reach this process."""
    scheme = "http" if settings.web_cert_file is None else "https"
    host = EVERY_ADDRESS.get(settings.web_host, settings.web_host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _server(settings: Settings, app: ASGIApp) -> HttpServer:
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_certfile=settings.web_cert_file,
        ssl_keyfile=settings.web_key_file,
        proxy_headers=bool(settings.web_proxy),
        forwarded_allow_ips=settings.web_proxy or "127.0.0.1",
    )
    return HttpServer(config)
