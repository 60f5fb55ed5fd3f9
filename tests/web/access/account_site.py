"""The pages of an installation whose identity provider signs people in, without a log, and browsers that visit them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from bopis.adapters.opening_hours import OsmHours
from bopis.services.routing.live import LiveRouting
from bopis.services.routing.rules_file import read_rules
from bopis.settings import Settings
from bopis.web.access.account import BEGIN_PATH
from bopis.web.access.gate import Gate
from bopis.web.access.sessions import COOKIE as SESSION_COOKIE
from bopis.web.access.sessions import Sessions
from bopis.web.app import create_app
from bopis.web.compose import identity_provider
from bopis.web.live.hub import Hub
from bopis.web.live.stock import LiveStock
from bopis.web.pages.table import page_routes
from bopis.web.site import Site, SiteParts, real_now_ms
from tests.web.access.identity_provider import CLIENT, SECRET

ADDRESS = "http://127.0.0.1:9"
KEY = b"k" * 32
Asked = httpx.Response


class NoAssociates:
    """No keys, no associates."""

    def key(self, identity: str) -> None:
        return None

    def associate(self, store: str, name: str) -> None:
        return None


class Installation:
    """The pages of one installation with a provider, and the browsers that visit them."""

    def __init__(self, home: Path, issuer: str, **settings: Any) -> None:
        options = {
            "data_dir": home, "web_oidc_issuer": issuer, "web_oidc_client": CLIENT, "web_oidc_secret": SECRET,
            "web_url": ADDRESS, "web_rate": 0,
        } | settings  # fmt: skip
        self.settings = Settings(**options)
        sessions = Sessions(KEY, is_secure=False)
        tokens, account = identity_provider(self.settings, KEY)
        nothing: Any = None
        hub = Hub()
        stock = LiveStock(LiveRouting(OsmHours(), read_rules(None), None, 4), hub)
        gate = Gate(NoAssociates(), sessions, tokens, real_now_ms)
        parts = SiteParts(
            gate, nothing, nothing, nothing, nothing, nothing, stock, hub, OsmHours(), real_now_ms, account
        )  # fmt: skip
        self.site = Site(self.settings, parts)
        self.app = create_app(self.site, (), page_routes(self.site))

    def forget_provider(self) -> None:
        """As after a start: nothing of the provider was read."""
        _, self.site.account = identity_provider(self.settings, KEY)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ADDRESS) as client:
            yield client

    def visit(self, steps: Callable[[httpx.AsyncClient], Any]) -> Any:
        """What a browser finds that has not been here before."""

        async def scenario() -> Any:
            async with self.browser() as browser:
                return await steps(browser)

        return asyncio.run(scenario())

    def signed_in(self) -> tuple[Asked, Asked]:
        """The last page of a sign-in, and the page that the browser asks for then."""

        async def steps(browser: httpx.AsyncClient) -> tuple[Asked, Asked]:
            answer = await browser.get(await at_provider(browser))
            return answer, await browser.get("/sign-in")

        found: tuple[Asked, Asked] = self.visit(steps)
        return found


async def at_provider(browser: httpx.AsyncClient, to: str = "/") -> str:
    """The address that the provider sends the browser back to."""
    begun = await browser.get(BEGIN_PATH, params={"to": to})
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient(verify=False) as other:  # an address without TLS: no authorities are read
        location: str = (await other.get(begun.headers["location"])).headers["location"]
        return location


def changed(address: str, **changes: str | None) -> str:
    """An address with other parameters."""
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return parts._replace(query=urlencode({name: it for name, it in query.items() if it is not None})).geturl()


def problem(answer: Asked) -> str:
    """The problem that a page shows; no page with one signs in."""
    assert SESSION_COOKIE not in answer.cookies
    assert "text/html" in answer.headers["content-type"]
    return answer.text.partition('role="alert">')[2].partition("<")[0]
