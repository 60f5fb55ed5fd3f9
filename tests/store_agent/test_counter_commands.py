"""`bopis pickup` at the agent of the shop while the centre is away."""

import http.client
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bopis.domain.orders.state import LineState
from bopis.journal.actions import Actions
from bopis.journal.journal import system_ms
from bopis.journal.shop_copy import ArticleRow
from bopis.journal.status import PROCESS, AgentProcess, put_state, status_of
from bopis.wire.offline import ActionAnswer, ActionOutcome
from store_agent.sources.tills import TillServer
from tests.cli.program import Answer, run
from tests.store_agent.agents import STORE
from tests.store_agent.test_offline import CODE, NUMBER, WRONG, Shop, line, order


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose agent serves its loopback in this process, with a copy that is some minutes old."""
    shop = Shop(tmp_path / "home" / "agent")
    shop.now_ms = system_ms() - 5 * 60_000
    shop.has(order(line(LineState.PROMISED), window_end_ms=0, ready_by_ms=1_790_000_000_000))
    shop.copy.put_articles([[ArticleRow(sku="A", name="Apples")]], shop.now_ms)
    shop.now_ms = system_ms()
    with TillServer(0, shop.journal, lambda: None, shop.counter) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        process = AgentProcess(pid=os.getpid(), port=server.server_address[1], started_ms=shop.now_ms)
        put_state(shop.journal, PROCESS, process)
        yield shop
        server.shutdown()
    shop.close()


def bopis(shop: Shop, *words: str) -> Answer:
    return run(*words, "--data-dir", str(shop.directory.parent))


def test_staff_go_on_from_the_queue_to_the_hand_over_and_are_told_where(shop: Shop) -> None:
    steps = [
        bopis(shop, "pickup", "queue", STORE),
        bopis(shop, "pickup", "accept", NUMBER[:4]),
        bopis(shop, "pickup", "start", NUMBER),
        bopis(shop, "pickup", "pick", NUMBER, "A=2"),
        bopis(shop, "pickup", "stage", NUMBER, "R1"),
        bopis(shop, "pickup", "hand-over", NUMBER, "--code", WRONG),
        bopis(shop, "pickup", "hand-over", NUMBER, "--code", CODE, "--id", "h1"),
        bopis(shop, "pickup", "hand-over", NUMBER, "--code", CODE, "--id", "h1"),
    ]

    assert [it.code for it in steps] == [0, 0, 0, 0, 0, 4, 0, 0]
    assert all(
        "The centre cannot be reached" in it.err and "copy is 5 min old" in it.err for it in (*steps[:5], steps[6])
    )
    assert "2 Apples" in steps[0].out
    assert "2026-09-21 09:13:20 CDT" in steps[0].out
    assert f"{NUMBER[:4]}-{NUMBER[4:]} was not handed over" in steps[5].err
    assert "4 more tries" in steps[5].err
    assert "handed over" in steps[6].out
    assert "done before" in steps[7].out
    assert len(Actions(shop.journal).waiting(20)) == 5


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("hand-over", NUMBER, "1=1", "--code", CODE), 2),
        (("hand-over", NUMBER, "--code", CODE, "--proxy", "Ben"), 2),
        (("hand-over", "ZZZZ", "--code", CODE), 3),
        (("pick", NUMBER, "A=9"), 5),
        (("stage", NUMBER, "R1"), 4),
        (("queue", "other"), 69),
    ],
)
def test_what_the_shop_cannot_do_is_refused_with_the_usual_exit_codes(
    shop: Shop, words: tuple[str, ...], code: int
) -> None:
    shop.act("accept")  # type: ignore[arg-type]  # its value

    answer = bopis(shop, "pickup", *words)

    assert answer.code == code, answer.err
    assert len(Actions(shop.journal).waiting(20)) == 1


def test_the_setting_keeps_commands_at_the_centre(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOPIS_AGENT_PICKUP", "centre")

    answer = bopis(shop, "pickup", "accept", NUMBER)

    assert answer.code == 69
    assert Actions(shop.journal).open_count() == 0


def test_the_status_has_the_age_of_the_copy_and_conflicts_are_listed_with_their_rule(shop: Shop) -> None:
    bopis(shop, "pickup", "accept", NUMBER)
    actions = Actions(shop.journal)
    [action] = actions.waiting(10)
    before = bopis(shop, "agent", "status")
    text = "it was cancelled: put it back"
    answer = ActionAnswer(id=action.id, order=NUMBER, outcome=ActionOutcome.REFUSED, rule="cancelled", text=text)
    actions.answered(action, answer)

    after, listed = bopis(shop, "agent", "status"), bopis(shop, "agent", "conflicts", "--json")

    assert "1 action to send, 0 conflicts" in before.out
    assert "0 actions to send, 1 conflict (`bopis agent conflicts`)" in after.out
    age = re.search(r"([0-9]+) seconds old", before.out)
    assert age is not None
    assert int(age[1]) >= 300
    [row] = listed.document["conflicts"]
    assert (row["order"], row["rule"], row["text"]) == (NUMBER, "cancelled", text)
    assert "it was cancelled: put it" in bopis(shop, "agent", "conflicts").out


def browse(shop: Shop, method: str, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str]:
    """A browser's request to the page of the agent."""
    host = f"127.0.0.1:{status_of(shop.journal).process.port}"
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        sent = {**kind, **({"Origin": f"http://{host}"} if method == "POST" else {}), **headers}
        connection.request(method, path, urlencode(fields) if method == "POST" else None, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the first form."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)[:2])


def test_the_page_of_the_agent_goes_to_the_hand_over_and_says_that_the_centre_is_away(shop: Shop) -> None:
    status, page = browse(shop, "GET", "/counter", {})
    typed: list[dict[str, str]] = [{}, {}, {}, {"location": "R1"}, {"code": WRONG}, {"code": CODE}]
    shown = []

    for fields in typed:
        form = fields_of(page) | {"actor": "<lee>"} | fields
        _, page = browse(shop, "POST", f"/counter/{NUMBER}", form)
        shown.append(re.search(r'role="status">([^<]*)<', page))

    assert status == 200
    assert "The centre cannot be reached" in page
    texts = [it[1].split(": ")[-1] if it is not None else "" for it in shown]
    assert texts[:4] + texts[5:] == ["accepted", "picking", "picked", "staged", "handed over"]
    assert "the code is wrong" in texts[4]
    assert "<lee>" not in page
    assert len(Actions(shop.journal).waiting(20)) == 5


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://shop.example"}, {"Origin": "null"}, {"Host": "shop.example"}, {"Origin": ""}]
)
def test_pages_of_other_sites_do_nothing_at_the_agent(shop: Shop, headers: dict[str, str]) -> None:
    form = {"id": "x", "kind": "accept", "actor": "lee"}

    status, _ = browse(shop, "POST", f"/counter/{NUMBER}", form, **headers)

    assert status == 403
    assert Actions(shop.journal).open_count() == 0
