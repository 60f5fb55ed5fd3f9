"""Pages over a log in memory in which orders are really decided: the app, its cookies, an order of Anna."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.responses import Response

from bopis.access.roles import Role
from bopis.adapters.barcodes import gtin14
from bopis.adapters.opening_hours import OsmHours
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url, open_vault
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import AcceptPick, RecordPick, StageOrder
from bopis.names import CATALOGUE_TOPIC, STORES_TOPIC
from bopis.ports import Record
from bopis.readside.opening import ReadSide
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import Checkout, Customer, OrderRequest
from bopis.services.routing.live import LiveRouting
from bopis.services.routing.rules_file import read_rules
from bopis.services.store_directory import StoreRecord
from bopis.settings import Settings
from bopis.web.access.gate import Gate
from bopis.web.access.sessions import Session, Sessions, new_session
from bopis.web.api import ENDPOINTS
from bopis.web.app import create_app
from bopis.web.live.hub import Hub
from bopis.web.live.stock import LiveStock
from bopis.web.pages import customer
from bopis.web.pages.table import page_routes
from bopis.web.site import Site, SiteParts, real_now_ms
from bopis.wire.catalogue import encode
from tests.services.checkout.live import S1, LiveLog, counter, shop_catalogue

ADDRESS = "http://counter.test"
STORES = (
    StoreRecord(store_id="S1", name="Main Street", city="Springfield", time_zone="America/Chicago", phone="+15550100"),
    StoreRecord(store_id="S2", name="Oak Square"),
)


class World:
    """The site of one log. `app` serves it."""

    def __init__(self, home: Path, **settings: Any) -> None:
        customer.LINK_TRIES = customer.PinTries()
        self.log = LiveLog(S1={"A": 20, "B": 20, "MUG": 20}, S2={"A": 20})
        self.log.now_ms = real_now_ms()
        self.settings = Settings(data_dir=home, **settings)
        self.vault = open_vault(self.settings)
        hub = Hub()
        stock = LiveStock(LiveRouting(OsmHours(), read_rules(None), None, 4), hub)
        access = AccessTable(keys_url(self.settings))
        self.sessions = Sessions(self.vault.session_key, is_secure=False)
        log: Any = self.log
        gate = Gate(access, self.sessions, None, real_now_ms)
        read_side = ReadSide(self.settings.database_reader_url)
        parts = SiteParts(gate, access, self.vault, log, lambda: log, read_side, stock, hub, OsmHours(), real_now_ms)
        self.site = Site(self.settings, parts)
        rows = [(STORES_TOPIC, it.store_id, msgspec.json.encode(it)) for it in STORES]
        rows += [(CATALOGUE_TOPIC, it.sku, encode(it)) for it in shop_catalogue().all()]
        stock.take([Record(topic, 0, at, 1, key.encode(), value) for at, (topic, key, value) in enumerate(rows)])
        self.app: Starlette = create_app(self.site, ENDPOINTS, page_routes(self.site))

    def place(self, *lines: tuple[str, int], key: str = "k1", language: str = "en") -> str:
        """The number of a new order, promised in S1."""
        wanted = tuple(RequestedLine(code=sku, quantity=units) for sku, units in lines or (("A", 2),))
        anna = Customer(name="Anna Example", email="anna@shop.example", language=language)
        basket = OrderRequest(store=S1, lines=wanted, customer=anna)
        return Checkout(counter(self.log, "web"), shop_catalogue(), gtin14, self.vault).place(basket, key).order

    def ready(self, number: str) -> None:
        """Accept, pick and stage all of an order."""
        desk = counter(self.log)
        desk.command(number, AcceptPick(store=S1))
        lines = tuple(PickedLine(line=it.line, picked=it.quantity) for it in self.log.order(number).lines)
        desk.command(number, RecordPick(store=S1, lines=lines))
        desk.command(number, StageOrder(store=S1, location="A3"))

    def token(self, number: str, version: int = 1) -> str:
        return self.vault.codes.token(number, version)

    @asynccontextmanager
    async def browser(self, session: Session | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A browser, signed in where a session is given."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            if session is not None:
                response = Response()
                self.sessions.begin(response, session)
                name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
                client.cookies.set(name, value)
            yield client


def associate(store: str = S1, name: str = "kim") -> Session:
    return new_session(name, Role.STORE_ASSOCIATE, (store,))


def form_values(html: str, action: str) -> dict[str, str]:
    """The fields of the form with an action, as the page has them."""
    found = next(
        it for it in re.findall(r"<form.*?</form>", html, re.DOTALL) if f'value="{action}"' in it or f'/{action}"' in it
    )
    return {
        name: value
        for tag in re.findall(r"<input[^>]*>", found)
        for name, value in [(_attribute(tag, "name"), _attribute(tag, "value"))]
        if name
    }


def note_of(html: str) -> str:
    """The note at the top of an answer."""
    found = re.search(r'<p class="note (?:good|bad|warn)" role="\w+">(.*?)</p>', html, re.DOTALL)
    return unescape(found[1]) if found else ""


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""
