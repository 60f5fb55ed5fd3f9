"""The key of a store's till or agent: it sends reports of its own store, and nothing else."""

import json
from pathlib import Path

import pytest

from bopis.access.roles import Role
from bopis.adapters.agent_process import HttpsOptions
from bopis.domain.inventory.messages import AgentHeartbeat
from bopis.journal.journal import Journal
from bopis.uplink.errors import CredentialRefused, StoreRefused
from bopis.uplink.https import HttpsUplink
from bopis.wire.ingest import REPORTS_OF_STORES
from bopis.wire.stock import STOCK
from tests.store_agent.baskets import basket_of
from tests.web.shop import OTHER, OWN, Shop, new_name

GOLDEN = sorted((Path(__file__).parents[2] / "wire" / "golden").glob("*.json"))
STOCK_TYPES = [it for it in GOLDEN if it.stem in STOCK.envelopes]


@pytest.mark.parametrize("file", STOCK_TYPES, ids=lambda it: it.stem)
def test_a_till_reaches_no_other_store_with_any_type_of_message(shop: Shop, file: Path) -> None:
    message = json.loads(file.read_text()) | {"time": "2026-01-01T00:00:00Z"}
    theirs, mine = message | {"subject": OTHER}, message | {"subject": OWN}
    is_report = isinstance(STOCK.decode(json.dumps(mine).encode()).data, REPORTS_OF_STORES)

    # Their own reports would change the books that other tests share; every other type is refused for their store, too.
    sent = [theirs] if is_report else [theirs, mine]
    answer = shop.ask("POST", "/v1/pos/baskets", Role.TILL, json=sent)

    assert answer.status_code == 422
    assert {it["code"] for it in answer.json()["items"]} == {"other-store" if is_report else "not-a-report"}


def test_the_key_of_a_store_sends_for_its_agent_until_it_is_revoked(shop: Shop, tmp_path: Path) -> None:
    # A store of its own: with one heartbeat the stock of a store is stale when no other one follows.
    store, file = new_name("agent"), tmp_path / "stores.csv"
    file.write_text(f"store_id,name,time_zone\n{store},Pier,America/Chicago\n")
    assert shop.bopis("stores", "import", str(file)).code == 0
    shop.eventually(lambda: shop.ask("GET", f"/v1/stores/{store}").status_code == 200)
    file = tmp_path / "key"
    file.write_text(shop.key(Role.TILL, store))
    options = HttpsOptions(url=shop.url, key_file=file, ca_file=None)
    heartbeat = basket_of("beat", AgentHeartbeat(version="1", depth=3))
    with Journal(tmp_path / "own", store) as own, Journal(tmp_path / "other", OTHER) as other:
        for it in (own, other):
            it.take("agent", [heartbeat])
        sent = HttpsUplink(options, store, 60.0).send(own.waiting(10, 1 << 20))
        theirs = HttpsUplink(options, OTHER, 60.0).send(other.waiting(10, 1 << 20))
        file.write_text("bopis_000000000000_" + "x" * 43)
        unknown = HttpsUplink(options, store, 60.0).send(own.waiting(10, 1 << 20))

    assert (sent.position, sent.problem, sent.refused) == (1, None, ())
    assert (theirs.position, type(theirs.problem)) == (0, StoreRefused)
    assert (unknown.position, type(unknown.problem)) == (0, CredentialRefused)
