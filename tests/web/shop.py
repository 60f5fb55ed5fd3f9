"""One running installation with HTTP: log, processors and web as processes, two stores, some articles, and keys."""

import itertools
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from bopis.access.keys import KeyRecord, new_key
from bopis.access.roles import OWN_STORES, Role
from bopis.adapters.log import LogReader
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import Vault, keys_url, open_vault
from bopis.adapters.web_process import web_process
from bopis.settings import Settings, load
from tests.cli.program import Installation

OWN, OTHER = "319", "367"
SKUS = ("4011", "4065", "94225")
UNITS = 100_000
STORES_CSV = (
    "store_id,name,latitude,longitude,time_zone\n"
    f"{OWN},Main Street,38.7,-88.1,America/Chicago\n"
    f"{OTHER},Market Square,38.8,-88.2,America/Chicago\n"
)
CATALOGUE_CSV = "sku,name\n4011,Bananas\n4065,Pepper\n94225,Avocado\n"
_numbers = itertools.count(1)


class Shop:
    """The installation, and what tests send to it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.bopis = Installation(
            home,
            **{
                "BOPIS_WEB_ENABLED": "true", "BOPIS_WEB_PORT": "0", "BOPIS_WEB_RATE": "0",
                "BOPIS_READ_WAIT_SECONDS": "30", "BOPIS_WEBHOOK_PRIVATE_ADDRESSES": "true", **environment,
            },
        )  # fmt: skip
        self.url: str = self.bopis.ready["web"]
        if not self.url:
            self.bopis.stop()
            raise AssertionError(f"the web process does not run: {self.bopis.ready['not_running']}")
        self.settings: Settings = load(
            data_dir=home, broker=environment.get("BOPIS_BROKER"), topic_prefix=environment.get("BOPIS_TOPIC_PREFIX")
        )
        self.access = AccessTable(keys_url(self.settings))
        self.keys: dict[tuple[Role, str], str] = {}
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self._fill()

    def close(self) -> None:
        """Stop everything."""
        self.client.close()
        self.access.close()
        assert self.bopis.stop() == 0

    def find_web(self) -> None:
        """Use the web process that runs now: one that was killed comes back on another port."""
        found = web_process(self.home)
        assert found is not None
        self.client.close()
        self.url = found.url
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def key(self, role: Role, store: str = OWN, **fields: Any) -> str:
        """The text of a new key."""
        stores = (store,) if role in OWN_STORES else ()
        name = fields.pop("name", f"{role}-{store}")
        text, record = new_key(name, role, **{"stores": stores} | fields)
        self.access.put_key(record)
        return text

    def key_of(self, role: Role, store: str = OWN) -> str:
        """The text of a key that tests share."""
        if (role, store) not in self.keys:
            self.keys[role, store] = self.key(role, store)
        return self.keys[role, store]

    def change_key(self, text: str, change: Callable[[KeyRecord], KeyRecord]) -> None:
        """Change the record of a key."""
        record = self.access.key(text.split("_")[1])
        assert record is not None
        self.access.put_key(change(record))

    def ask(self, method: str, path: str, role: Role | None = Role.HQ_OPERATOR, **options: Any) -> httpx.Response:
        """A request with the key of a role, or without any."""
        store = options.pop("key_store", OWN)
        headers = {"Authorization": f"Bearer {self.key_of(role, store)}"} if role is not None else {}
        return self.client.request(method, path, headers=headers | options.pop("headers", {}), **options)

    def basket(self, store: str = OWN, sku: str = SKUS[0], quantity: int = 1) -> dict[str, Any]:
        """The body of an order."""
        return {"store": store, "lines": [{"sku": sku, "quantity": quantity}], "customer": {"name": "Anna"}}

    def place(self, body: dict[str, Any] | None = None, key: str = "", **options: Any) -> httpx.Response:
        """Place an order as the shop front."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())} | options.pop("headers", {})
        role = options.pop("role", Role.SHOP_FRONT)
        return self.ask("POST", "/v1/orders", role, json=body or self.basket(), headers=headers, **options)

    def promised(self, **options: Any) -> str:
        """The number of a new order that has a promise."""
        answer = self.place(headers={"Prefer": "wait=10"}, **options)
        assert answer.status_code == 202, answer.text
        number: str = answer.json()["order"]
        return number

    def eventually(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        """What `holds` returns once it is true."""
        give_up = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < give_up, "it did not become true in time"
            time.sleep(0.05)
        return found

    def bopis_reader(self) -> LogReader:
        """A reader of the log."""
        return LogReader(self.bopis.ready["bootstrap"], self.settings.topic_prefix)

    def vault(self) -> closing[Vault]:
        """The secrets of the installation."""
        return closing(open_vault(self.settings))

    def _fill(self) -> None:
        files = {"stores": STORES_CSV, "catalogue": CATALOGUE_CSV}
        for group, content in files.items():
            file = self.home.parent / f"{group}.csv"
            file.write_text(content)
            answer = self.bopis(group, "import", str(file))
            assert answer.code == 0, answer.err
        for store in (OWN, OTHER):
            self.bopis.ask("stock", "receive", store, *(f"{sku}={UNITS}" for sku in SKUS))
        query = {"sku": SKUS[-1], "store": OTHER}
        self.eventually(lambda: self._available(query) >= UNITS - 1_000)

    def _available(self, query: dict[str, str]) -> int:
        answer = self.ask("GET", "/v1/availability", Role.SHOP_FRONT, params=query)
        if answer.status_code != 200:
            return 0
        return int(answer.json()["stores"][0]["skus"][0]["available"])


def new_name(prefix: str) -> str:
    """A name that no other test of this run has."""
    return f"{prefix}-{next(_numbers)}"
