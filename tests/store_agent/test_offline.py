"""Work on orders in a shop that has only its copy of them."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bopis.adapters.secrets.codes import PickupCodes
from bopis.adapters.secrets.store_codes import hash_of_digits, hash_of_token
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import HandedLine
from bopis.domain.orders.offline.local import LocalRefusal, StoreAction, after, refusal_of
from bopis.domain.orders.offline.store_copy import CopyCode, CopyLine, CopyOrder, copy_of
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Document, Proof
from bopis.domain.sourcing.request import Component
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.journal.actions import Actions
from bopis.journal.database import JOURNAL_FILE
from bopis.journal.errors import ActionChanged
from bopis.journal.journal import Journal
from bopis.journal.shop_copy import COPY_FILE, ArticleRow, LevelRow, ShopCopyFile, read_state
from bopis.journal.status import status_of
from bopis.uplink.connection import CentreAnswer
from bopis.wire.offline import ActionAnswer, ActionOutcome, ShopCopy
from bopis.wire.orders import ORDERS
from store_agent.errors import AgentError, CopyMissing, CopyOld, NotDoneHere, OrderNotInCopy, ProofRefused
from store_agent.offline.actions import ActionKind, ActionRequest
from store_agent.offline.counter import Counter
from store_agent.offline.downlink import Downlink, DownlinkOptions, Parts
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, World, number
from tests.store_agent.agents import STORE

NOW = 1_900_000_000_000
NUMBER = number()
CODES = PickupCodes(b"k" * 32)
CODE, TOKEN = CODES.code(NUMBER, 1), CODES.token(NUMBER, 1)
WRONG = f"{(int(CODE) + 1) % 10**6:06d}"
KEY = CODES.store_key(STORE, "2026-03-05")
KIT = (Component(sku="A", quantity=1), Component(sku="B", quantity=2))


def line(state: LineState = LineState.READY, **changes: Any) -> CopyLine:
    return CopyLine(**{"line": 1, "sku": "A", "quantity": 2, "state": state} | changes)


def order(*lines: CopyLine, **changes: Any) -> CopyOrder:
    """An order that is paid for, with its code."""
    code = CopyCode(version=1, digits=hash_of_digits(KEY, NUMBER, CODE), token=hash_of_token(KEY, NUMBER, TOKEN))
    fields: dict[str, Any] = {"order": NUMBER, "lines": lines or (line(),), "code": code, "version": "v1", "paid": True}
    return CopyOrder(**fields | changes)


def goods(*handed: HandedLine) -> m.GoodsHandedOver:
    lines = handed or (HandedLine(line=1, sku="A", quantity=2),)
    return m.GoodsHandedOver(store=STORE, lines=lines, proof=Proof.CODE, code_version=1)


def pick(picked: int, missing: int = 0, **changes: Any) -> m.RecordPick:
    return m.RecordPick(store=STORE, lines=(PickedLine(line=1, picked=picked, missing=missing, **changes),))


PICKING, PICKED = line(LineState.PICKING), line(LineState.PICKED)
STAGE = m.StageOrder(store=STORE, location="R1")
REFUSALS: list[tuple[CopyOrder, StoreAction, LocalRefusal | None]] = [
    (order(), goods(), None),
    (order(line(LineState.STAGED)), goods(), None),
    (order(line(LineState.PICKED)), goods(), LocalRefusal.TOO_EARLY),
    (order(line(LineState.HANDED_OVER)), goods(), LocalRefusal.TOO_LATE),
    (order(), goods(HandedLine(line=2, sku="A", quantity=2)), LocalRefusal.UNKNOWN_LINE),
    (order(), goods(HandedLine(line=1, sku="B", quantity=2)), LocalRefusal.UNKNOWN_LINE),
    (order(), goods(HandedLine(line=1, sku="A", quantity=1)), LocalRefusal.NEEDS_CENTRE),
    (order(is_short=True), goods(), LocalRefusal.SHORT),
    (order(window_end_ms=NOW), goods(), LocalRefusal.WINDOW_OVER),
    (order(window_end_ms=NOW + 1), goods(), None),
    (order(paid=False), goods(), LocalRefusal.UNPAID),
    (order(paid_until_ms=NOW), goods(), LocalRefusal.UNPAID),
    (order(line(LineState.PROMISED)), m.AcceptPick(store=STORE), None),
    (order(PICKED), m.AcceptPick(store=STORE), LocalRefusal.TOO_LATE),
    (order(line(LineState.ACCEPTED)), m.StartPicking(store=STORE), None),
    (order(line(LineState.PROMISED)), pick(2), LocalRefusal.TOO_EARLY),
    (order(PICKING), pick(2), None),
    (order(PICKING), pick(1, 1), None),
    (order(PICKING), pick(2, 1), LocalRefusal.TOO_MANY_UNITS),
    (order(line(LineState.PICKING, picked=(1,))), pick(2), LocalRefusal.TOO_MANY_UNITS),
    (order(PICKING), pick(1, sku="B"), LocalRefusal.UNKNOWN_LINE),
    (order(line(LineState.PICKING, parts=KIT)), pick(1), LocalRefusal.UNKNOWN_LINE),
    (order(line(LineState.PICKING, parts=KIT)), pick(0, 1, sku="B"), LocalRefusal.NEEDS_CENTRE),
    (order(line(LineState.PICKING, parts=KIT)), pick(4, sku="B"), None),
    (order(PICKED), STAGE, None),
    (order(PICKING), STAGE, LocalRefusal.TOO_EARLY),
]


@pytest.mark.parametrize(("copy", "action", "expected"), REFUSALS)
def test_the_shop_does_by_itself_what_its_copy_allows(
    copy: CopyOrder, action: StoreAction, expected: LocalRefusal | None
) -> None:
    assert refusal_of(copy, action, NOW) is expected


def test_the_copy_moves_as_the_order_does() -> None:
    """The shop's own rules against those of the order, step by step."""
    world = recipes.promised(World())
    copied = copy_of(world.order(), S1, world.now_ms)
    assert copied is not None
    steps = (m.AcceptPick(store=S1), m.StartPicking(store=S1), recipes.PICK_ALL, m.StageOrder(store=S1, location="R1"))

    for step in steps:
        assert refusal_of(copied, step, world.now_ms) is None
        copied = after(copied, step)
        world.tell(step)
        theirs = copy_of(world.order(), S1, world.now_ms)
        assert theirs is not None
        # Ready by itself once everything is staged: the shop need not know.
        assert copied.state in (theirs.state, LineState.STAGED)
        assert copied.lines[0].picked == theirs.lines[0].picked
    assert copy_of(world.order(), S2, world.now_ms) is None


class Shop:
    """A shop with a copy, and its clock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now_ms = NOW
        self.journal = Journal(directory, STORE, now_ms=lambda: self.now_ms)
        self.copy = ShopCopyFile(directory, STORE)
        self.woken = 0
        self.counter = Counter(self.journal, self.copy, 12.0, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def has(self, *orders: CopyOrder) -> None:
        copy = ShopCopy(
            store=STORE, pickup=True, rules=(), key_day="2026-03-05", key=KEY.hex(), orders=orders,
            time_zone="America/Chicago",
        )  # fmt: skip
        self.copy.put(copy, '"e1"', self.now_ms)

    def act(self, kind: ActionKind, key: str = "a1", **fields: Any) -> Any:
        return self.counter.act(NUMBER, ActionRequest(id=key, kind=kind, actor="lee", **fields))

    def hand_over(self, key: str = "a1", **fields: Any) -> Any:
        return self.act(ActionKind.HAND_OVER, key, **fields or {"code": CODE})

    def close(self) -> None:
        self.copy.close()
        self.journal.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "agent")
    shop.has(order())
    yield shop
    shop.close()


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        ({"code": CODE}, Proof.CODE),
        ({"code": f"{CODE[:3]} {CODE[3:]}"}, Proof.CODE),
        ({"code": f"https://shop.example/{TOKEN.lower()}"}, Proof.TOKEN),
        ({"document": Document.PASSPORT}, Proof.IDENTITY),
    ],
)
def test_a_right_proof_hands_over_what_is_staged(shop: Shop, proof: dict[str, Any], expected: Proof) -> None:
    result = shop.hand_over(**proof)

    [action] = Actions(shop.journal).waiting(10)
    message = ORDERS.decode(action.value)
    assert isinstance(message.data, m.GoodsHandedOver)
    assert (message.data.proof, message.data.lines, message.actor) == (expected, goods().lines, "lee")
    assert (action.expected, result.state, shop.woken) == ("v1", "handed_over", 1)
    assert CODE.encode() not in action.value + action.content


def test_wrong_codes_are_counted_with_those_of_the_centre_and_lock_the_code(shop: Shop) -> None:
    code = msgspec.structs.replace(order().code, tries=2)
    shop.has(order(code=code))
    reasons = []

    for presented in ("4711", WRONG, WRONG, WRONG, CODE):
        with pytest.raises(ProofRefused) as found:
            shop.hand_over(code=presented)
        reasons.append(found.value.facts["reason"])

    assert reasons == ["misread", "wrong_code", "wrong_code", "wrong_code", "code_locked"]
    assert shop.hand_over(document=Document.PASSPORT).state == "handed_over"


def test_an_order_is_handed_over_once_however_often_it_is_tried(shop: Shop) -> None:
    first = shop.hand_over()
    again = shop.hand_over()
    with pytest.raises(NotDoneHere, match="too_late"):
        shop.hand_over("a2")
    with pytest.raises(ActionChanged):
        shop.hand_over("a1", document=Document.PASSPORT)
    # Also when an older copy comes after the answer.
    [action] = Actions(shop.journal).waiting(10)
    answer = ActionAnswer(id="a1", order=NUMBER, outcome=ActionOutcome.DONE)
    Actions(shop.journal).answered(action, answer)
    shop.now_ms += HOUR_MS
    shop.has(order())
    with pytest.raises(NotDoneHere, match="too_late"):
        shop.hand_over("a3")

    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert len(Actions(shop.journal).of_order(NUMBER)) == 1


def test_work_goes_on_from_the_promise_to_the_hand_over(shop: Shop) -> None:
    shop.has(order(line(LineState.PROMISED), line(LineState.PROMISED, line=2, sku="kit", parts=KIT, quantity=1)))
    shop.copy.put_articles([[ArticleRow(sku="A", name="Apples", gtins=("04006381333931",))]], NOW)
    shop.copy.put_levels([[LevelRow(sku="A", on_hand=7, atp=3)]], NOW)

    states = [
        shop.act(ActionKind.ACCEPT, "1").state,
        shop.act(ActionKind.START, "2").state,
        shop.act(ActionKind.PICK, "3", found={"4006381333931": 3}).state,
        shop.act(ActionKind.PICK, "4").state,
        shop.act(ActionKind.STAGE, "5", location="R1").state,
        shop.hand_over("6").state,
    ]

    assert states == ["accepted", "picking", "picking", "picked", "staged", "handed_over"]
    sent = [ORDERS.decode(it.value).data for it in Actions(shop.journal).waiting(10)]
    assert sum(it.picked for body in sent if isinstance(body, m.RecordPick) for it in body.lines) == 5
    assert shop.copy.name("A") == "Apples"


def test_short_goods_are_not_handed_over_before_the_centre_decides(shop: Shop) -> None:
    shop.has(order(line(LineState.PICKING)))
    shop.act(ActionKind.PICK, "1", missing={"A": 1})
    shop.act(ActionKind.STAGE, "2", location="R1")

    with pytest.raises(NotDoneHere, match="short"):
        shop.hand_over("3")


def test_an_action_that_the_order_refused_is_not_shown_on_the_copy(shop: Shop) -> None:
    shop.has(order(line(LineState.PROMISED)))
    shop.act(ActionKind.ACCEPT)
    [action] = Actions(shop.journal).waiting(10)
    refused = ActionAnswer(id="a1", order=NUMBER, outcome=ActionOutcome.REFUSED, rule="cancelled")

    Actions(shop.journal).answered(action, refused)

    assert [it.state for it in shop.counter.queue().orders] == ["promised"]
    assert [it.answer for it in Actions(shop.journal).unfit(10)] == [refused]


@pytest.mark.parametrize(
    ("minutes", "number", "error"),
    [(12 * 60, NUMBER, None), (12 * 60 + 1, NUMBER, CopyOld), (5, "ZZZZ-ZZZZ", OrderNotInCopy)],
)
def test_limits_of_the_copy(shop: Shop, minutes: int, number: str, error: type[AgentError] | None) -> None:
    shop.now_ms += minutes * MINUTE_MS
    request = ActionRequest(id="a1", kind=ActionKind.HAND_OVER, code=CODE)

    if error is None:
        assert shop.counter.act(number, request).copy_age_seconds == minutes * 60
    else:
        with pytest.raises(error):
            shop.counter.act(number, request)
    assert shop.counter.queue().copy_age_seconds == minutes * 60


def test_without_a_copy_nothing_is_done(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    with pytest.raises(CopyMissing):
        shop.counter.queue()
    with pytest.raises(CopyMissing):
        shop.hand_over()
    shop.close()


@pytest.mark.parametrize("damage", ["other store", "other format", "bytes"])
def test_a_copy_that_cannot_be_used_is_begun_again(tmp_path: Path, damage: str) -> None:
    shop = Shop(tmp_path)
    shop.has(order())
    shop.close()
    file = tmp_path / COPY_FILE
    if damage == "bytes":
        file.write_bytes(b"x" * 8_192)
    elif damage == "other format":
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()

    with ShopCopyFile(tmp_path, "other" if damage == "other store" else STORE) as copy:
        assert copy.orders() == []
        assert copy.state().current_ms == 0
    state = read_state(tmp_path)
    assert state is not None
    assert state.current_ms == 0


def test_levels_and_articles_that_are_gone_leave_with_the_last_page(shop: Shop) -> None:
    shop.copy.put_levels([[LevelRow(sku="A", on_hand=1, atp=1)], [LevelRow(sku="B", on_hand=2, atp=2)]], NOW)
    shop.copy.put_levels([[LevelRow(sku="B", on_hand=3, atp=2)]], NOW + 1)

    assert shop.copy.level("A") is None
    assert shop.copy.level("B") == LevelRow(sku="B", on_hand=3, atp=2)
    assert shop.copy.counts() == (1, 1, 0)


def test_a_journal_of_an_earlier_version_takes_actions(tmp_path: Path) -> None:
    with Journal(tmp_path, STORE):
        pass
    with sqlite3.connect(tmp_path / JOURNAL_FILE) as connection:
        connection.executescript("DROP TABLE action; DROP TABLE code_try")
    connection.close()

    with Journal(tmp_path, STORE) as journal:
        assert Actions(journal).open_count() == 0


def test_an_answer_is_the_version_that_later_actions_expect(shop: Shop) -> None:
    shop.has(order(line(LineState.PROMISED)))
    shop.act(ActionKind.ACCEPT, "1")
    shop.act(ActionKind.START, "2")
    actions = Actions(shop.journal)

    actions.answered(
        actions.waiting(1)[0], ActionAnswer(id="1", order=NUMBER, outcome=ActionOutcome.DONE, version="v2")
    )

    assert [it.expected for it in actions.waiting(10)] == ["v2"]


def test_a_kill_between_the_journal_and_the_acknowledgement_loses_nothing(tmp_path: Path) -> None:
    """The process ends after the action is on the disk and before anybody was answered."""
    pid = os.fork()
    if pid == 0:
        try:
            child = Shop(tmp_path)
            child.has(order())
            child.counter = Counter(child.journal, child.copy, 12.0, lambda: os.kill(os.getpid(), signal.SIGKILL))
            child.hand_over()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    shop = Shop(tmp_path)

    repeated = shop.hand_over()

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert repeated.is_repeat
    assert len(Actions(shop.journal).waiting(10)) == 1
    shop.close()


class Centre:
    """A centre that answers each request with the next of some answers, and then with a copy."""

    def __init__(self, *answers: CentreAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def request(self, method: str, path: str, body: Any = None, headers: Any = None) -> CentreAnswer:
        self.asked.append((method, path.partition("?")[0]))
        return self.answers.pop(0) if self.answers else CentreAnswer(503, b"", {"retry-after": "0"})

    def close(self) -> None:
        pass


def sent(shop: Shop, *answers: CentreAnswer) -> list[tuple[str, str]]:
    """What a downlink asks of a centre until that does not answer any more."""
    centre = Centre(*answers)
    events: list[str] = []

    def on_event(event: str, level: str = "info", **_: object) -> None:
        events.append(event)
        if event == "downlink.failed":
            downlink.stop()

    options = DownlinkOptions(url="http://centre", store=STORE, pause_seconds_max=0.01)
    parts = Parts(shop.journal, shop.copy, centre, on_event)  # type: ignore[arg-type]  # as far as it is used
    downlink = Downlink(options, parts)
    downlink.run()
    return centre.asked


@pytest.mark.parametrize(
    ("status", "body", "outcome", "rule"),
    [
        (200, {"outcome": "done", "version": "v2", "later": [1]}, ActionOutcome.DONE, ""),
        (200, {"outcome": "refused", "rule": "cancelled"}, ActionOutcome.REFUSED, "cancelled"),
        # A word of a later version.
        (200, {"outcome": "postponed"}, ActionOutcome.CONFLICT, "postponed"),
        (404, {"code": "order-unknown", "detail": "There is no order."}, ActionOutcome.REFUSED, "order-unknown"),
        (409, {"code": "message-parked", "detail": "Not taken."}, ActionOutcome.REFUSED, "message-parked"),
        (422, None, ActionOutcome.REFUSED, "status-422"),
        # About the centre, and not about the action: it is kept.
        (404, {"code": "store-unknown"}, None, ""),
        (401, {}, None, ""),
        (500, {}, None, ""),
        (200, None, None, ""),
    ],
)
def test_an_answer_of_the_centre_ends_an_action_or_keeps_it(
    shop: Shop, status: int, body: dict[str, Any] | None, outcome: ActionOutcome | None, rule: str
) -> None:
    shop.hand_over()
    answer = b"no JSON" if body is None else msgspec.json.encode({"id": "a1", "order": NUMBER} | body)

    sent(shop, CentreAnswer(status, answer, {}))

    [action] = Actions(shop.journal).of_order(NUMBER)
    assert (action.answer and action.answer.outcome, action.answer.rule if action.answer else "") == (outcome, rule)


def test_actions_go_up_in_their_order_before_the_copy_comes_down(shop: Shop) -> None:
    shop.has(order(line(LineState.PROMISED)))
    shop.act(ActionKind.ACCEPT, "1")
    shop.act(ActionKind.START, "2")
    done = [
        CentreAnswer(200, msgspec.json.encode({"id": it, "order": NUMBER, "outcome": "done", "version": it}), {})
        for it in "12"
    ]
    copy = ShopCopy(store=STORE, pickup=False, rules=(), key_day="2026-03-06", key=KEY.hex(), orders=())
    new = CentreAnswer(200, msgspec.json.encode(copy), {"etag": '"e2"', "bopis-age": "2.5"})

    asked = sent(shop, *done, new)

    assert [it[0] for it in asked[:3]] == ["POST", "POST", "GET"]
    state = shop.copy.state()
    assert (state.etag, state.pickup, state.current_ms) == ('"e2"', False, NOW - 2_500)
    assert shop.copy.orders() == []


def test_a_copy_that_did_not_change_is_only_younger(shop: Shop) -> None:
    shop.now_ms += HOUR_MS

    sent(shop, CentreAnswer(304, b"", {"bopis-age": "0"}))

    assert shop.copy.state().current_ms == shop.now_ms
    assert [it.order for it in shop.copy.orders()] == [NUMBER]


def test_a_key_of_a_till_gets_no_copy_and_the_problem_says_which_key_does(shop: Shop) -> None:
    sent(shop, CentreAnswer(403, b"", {}))

    assert "--role store-agent" in status_of(shop.journal).offline.downlink.problem


def test_a_key_of_a_store_says_nothing_about_other_stores_and_days() -> None:
    keys = {CODES.store_key(store, day) for store in ("319", "367") for day in ("2026-03-05", "2026-03-06")}

    assert len(keys) == 4
    assert hash_of_digits(KEY, NUMBER, CODE) != hash_of_digits(KEY, "OTHER", CODE)
    assert CODES.hash_of_code(NUMBER, CODE) not in {hash_of_digits(key, NUMBER, CODE) for key in keys}
