"""At the counter: refusals that say what to do, the order book, the queue, one walk for many, the scanner."""

from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused
from bopis.domain.orders.lines import PickedLine, Stamp
from bopis.domain.orders.messages import (
    AcceptPick,
    CancelOrder,
    CustomerArrived,
    HandOver,
    PlaceOrder,
    RecordPick,
    StageOrder,
)
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState
from bopis.domain.orders.store_queue import Colour, WorkStep, colour_of, queue
from bopis.domain.orders.vocabulary import Document, Initiator, Proof, Refusal
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import Checkout, Customer, OrderRequest
from bopis.services.counter.code_check import Presented, hand_over, is_token_of, number_in, token_in
from bopis.services.counter.errors import NotDone, NumberUnclear, OrderUnknown
from bopis.services.counter.guidance import guidance
from bopis.services.counter.masking import masked
from bopis.services.counter.order_history import read_order_history
from bopis.services.counter.pick_walk import needs, share_out, walk
from bopis.services.counter.refusal_text import TOO_EARLY, TOO_LATE, WHY, why
from bopis.services.counter.scanner import CodeKind, Scanner
from bopis.services.exchange import Sent
from bopis.settings import Settings
from bopis.wire.placement import partition_of
from tests.services.checkout.live import S1, LiveLog, book_of, counter, exchange, shop_catalogue

ANNA = Customer(name="Anna Example", email="anna@shop.example")
STAMP = Stamp(device="desk", actor="kim", at_ms=1, recorded_at_ms=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(Settings(data_dir=tmp_path))


@pytest.fixture
def log() -> LiveLog:
    return LiveLog(S1={"A": 20, "B": 20, "MUG": 20})


def placed(log: LiveLog, vault: Vault, *lines: tuple[str, int], key: str = "k1") -> str:
    wanted = tuple(RequestedLine(code=code, quantity=quantity) for code, quantity in lines or (("A", 2),))
    basket = OrderRequest(store=S1, lines=wanted, customer=ANNA)
    return Checkout(counter(log, "web"), shop_catalogue(), gtin14, vault).place(basket, key).order


def ready(log: LiveLog, order: str) -> None:
    desk = counter(log)
    desk.command(order, AcceptPick(store=S1))
    lines = tuple(PickedLine(line=it.line, picked=it.quantity) for it in log.order(order).lines)
    desk.command(order, RecordPick(store=S1, lines=lines))
    desk.command(order, StageOrder(store=S1, location="A3"))


# Refusals


@pytest.mark.parametrize("reason", list(Refusal), ids=[it.value for it in Refusal])
def test_every_refusal_is_a_sentence_about_the_order(reason: Refusal) -> None:
    told = why("4K7P92QX", CommandRefused(stamp=STAMP, command="HandOver", reason=reason, message="m", line=2))

    assert told.startswith("Order 4K7P-92QX, line 2: ")
    assert told.endswith(f"[{reason.value}]")
    assert set(WHY) | {Refusal.TOO_EARLY, Refusal.TOO_LATE} == set(Refusal)
    assert set(TOO_EARLY) | set(TOO_LATE) <= {it.__name__ for it in commands()}


def commands() -> list[type]:
    from typing import get_args

    from bopis.domain.orders.messages import Command

    return [*get_args(Command), CustomerArrived]


def test_who_hands_over_before_anything_is_staged_is_told_what_comes_first(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)

    with pytest.raises(NotDone, match="bopis pickup stage"):
        counter(log).command(order, HandOver(store=S1, proof=Proof.IDENTITY, document=Document.PASSPORT))


def test_an_order_that_nobody_placed_is_unknown(log: LiveLog) -> None:
    with pytest.raises(OrderUnknown):
        counter(log).command("4K7P92QX", AcceptPick(store=S1))


def test_each_person_hears_the_answer_to_their_own_word(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    counter(log, "kim").command(order, AcceptPick(store=S1))

    with pytest.raises(NotDone, match="it was accepted before"):
        counter(log, "lee").command(order, AcceptPick(store=S1))


def test_the_same_id_is_taken_once_and_answered_with_nothing(log: LiveLog, vault: Vault) -> None:
    order, desk = placed(log, vault), counter(log)

    first = desk.command(order, CustomerArrived(store=S1), message_id="bell-1")
    log.now_ms -= 1_000 * 1_000  # the same bytes again: a device repeats the time of its message, too
    said = first.sent.message
    log.publish("orders", order, encoded(said))

    assert [type(it.data).__name__ for it in first.events] == ["ArrivalRecorded", "NoticeDue"]
    assert (
        sum(b"arrival_recorded" in (it.value or b"") for it in log.records["order-events", said_partition(order)]) == 1
    )


def test_two_people_who_speak_at_once_hear_their_own_answers(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    log.orders_are_away = True
    desks = {actor: exchange(log) for actor in ("kim", "lee")}
    subscriptions = {actor: desk.subscribe(order) for actor, desk in desks.items()}
    words = {actor: told(log, order, actor) for actor in desks}
    log.orders_are_away = False
    log.decide()

    replies = {actor: desk.reply(words[actor], subscriptions[actor], 5.0) for actor, desk in desks.items()}
    heard = {actor: [type(it.data).__name__ for it in reply.events] for actor, reply in replies.items()}

    assert heard == {"kim": ["PickAccepted"], "lee": ["CommandRefused"]}


def told(log: LiveLog, order: str, actor: str) -> Sent:
    """Somebody accepts the order, and does not wait."""
    message = Message(id=actor, source=actor, time=log.now(), subject=order, data=AcceptPick(store=S1), actor=actor)
    return Sent(message, log.publish("orders", order, encoded(message)).placed)


def encoded(message: Any) -> bytes:
    from bopis.wire.orders import ORDERS

    return ORDERS.encode(message)


def said_partition(order: str) -> int:
    return partition_of(order.encode(), 2)


def test_wrong_codes_are_counted_and_lock_the_code(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)
    wrong = "000000" if vault.codes.code(order, 1) != "000000" else "000001"
    told = []
    for _ in range(6):
        with pytest.raises(NotDone) as refused:
            counter(log).command(order, hand_over(vault, log.order(order), S1, Presented(code=wrong)))
        told.append(str(refused.value))

    assert "4 tries left" in told[0]
    assert "locked now" in told[4]
    assert "--document" in told[5]
    right = hand_over(vault, log.order(order), S1, Presented(code=vault.codes.code(order, 1)))
    with pytest.raises(NotDone, match="too many wrong codes"):
        counter(log).command(order, right)
    counter(log).command(order, hand_over(vault, log.order(order), S1, Presented(document="passport")))
    assert log.order(order).state is LineState.HANDED_OVER


def test_a_named_proxy_stands_in_the_log_sealed(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)
    proof = Presented(code=vault.codes.code(order, 1), proxy="Proxima Canary")
    body = hand_over(vault, log.order(order), S1, proof)

    counter(log).command(order, body)

    assert b"Proxima" not in log.everything()
    assert vault.open(log.order(order).customer.id, body.to) == {"proxy": "Proxima Canary"}


# The order book


def test_an_order_is_found_by_the_begin_of_its_number_and_by_what_is_misread(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    book = book_of(log)

    assert book.named(order[:3]).order == order
    assert book.named(shown(order).lower().replace("0", "o").replace("1", "l")).order == order


def test_a_begin_that_several_orders_share_is_unclear_and_open_ones_come_first(vault: Vault) -> None:
    log = LiveLog(S1={"A": 1000})
    begun: dict[str, list[str]] = {}
    n = 0
    while max(map(len, begun.values()), default=0) < 2:
        n += 1
        number = placed(log, vault, ("A", 1), key=f"k{n}")
        begun.setdefault(number[:2], []).append(number)
    begin, (first, second) = next((begin, pair) for begin, pair in begun.items() if len(pair) == 2)
    book = book_of(log)

    with pytest.raises(NumberUnclear, match="2 orders begin"):
        book.named(begin)
    counter(log).command(first, CancelOrder(by=Initiator.STAFF))
    book.refresh()
    assert book.named(begin).order == second


def test_rows_of_a_writer_that_had_lost_the_partition_are_left_out(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    book = book_of(log)
    where = said_partition(order)
    log.note(where, b"\x00claim")
    log.note(where, b"\x00position", position=10_000, claim=0)
    log._append("order-state", where, order.encode(), b'{"stale": true}')

    book.refresh()

    found = book.get(order)
    assert found is not None
    assert found.state is LineState.PROMISED


def test_the_book_of_one_store_has_its_live_orders_and_open_tasks_only(log: LiveLog, vault: Vault) -> None:
    open_one, ended = placed(log, vault, key="k1"), placed(log, vault, key="k2")
    counter(log).command(ended, CancelOrder(by=Initiator.STAFF))

    assert [it.order for it in book_of(log).in_store(S1)] == [open_one]
    assert book_of(log).in_store("S") == []


def test_the_story_of_an_order_names_every_event_once(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)

    past = read_order_history(log, log.order(order))

    kinds = [type(it.data).__name__ for it in past.events]
    assert kinds[0] == "OrderPlaced"
    assert kinds.count("OrderReady") == 1
    assert [it.attempt for it in past.decisions] == [1]


# The queue


def test_who_waits_at_the_counter_comes_first_whatever_is_due(log: LiveLog, vault: Vault) -> None:
    first, second = placed(log, vault, key="k1"), placed(log, vault, key="k2")
    counter(log).command(second, CustomerArrived(store=S1))

    entries = queue(book_of(log).in_store(S1), S1, log.now_ms)

    assert [it.order for it in entries] == [second, first]
    assert entries[0].waiting_since_ms > 0
    assert [it.step for it in entries] == [WorkStep.ACCEPT, WorkStep.ACCEPT]


def test_steps_follow_the_order_from_acceptance_to_the_counter(log: LiveLog, vault: Vault) -> None:
    order, desk, steps = placed(log, vault), counter(log), []

    def note() -> None:
        steps.append(queue(book_of(log).in_store(S1), S1, log.now_ms)[0].step)

    note()
    desk.command(order, AcceptPick(store=S1))
    note()
    desk.command(order, RecordPick(store=S1, lines=(PickedLine(line=1, picked=2),)))
    note()
    desk.command(order, StageOrder(store=S1, location="A3"))
    note()
    desk.command(order, CustomerArrived(store=S1))
    note()

    assert steps == [WorkStep.ACCEPT, WorkStep.PICK, WorkStep.STAGE, WorkStep.AWAIT_CUSTOMER, WorkStep.HAND_OVER]


@pytest.mark.parametrize(
    ("left_ms", "colour"),
    [(2 * HOUR_MS, Colour.GREEN), (29 * MINUTE_MS, Colour.YELLOW), (0, Colour.RED), (-1, Colour.RED)],
)
def test_colours_follow_the_time_that_is_left(left_ms: int, colour: Colour) -> None:
    assert colour_of(WorkStep.PICK, 10 * HOUR_MS + left_ms, 10 * HOUR_MS) is colour


def test_cancelled_goods_that_were_picked_leave_a_task_and_guidance(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)
    counter(log).command(order, CancelOrder(by=Initiator.CUSTOMER))

    [entry] = queue(book_of(log).in_store(S1), S1, log.now_ms)

    assert (entry.step, entry.colour) == (WorkStep.PUT_BACK, Colour.GREY)
    assert guidance(log.order(order)) == [f"store {S1}: put A back (bopis pickup put-back {shown(order)} {entry.task})"]


# One walk for several orders


def test_one_walk_asks_for_each_sku_once(log: LiveLog, vault: Vault) -> None:
    orders = [placed(log, vault, ("A", 2), ("SET", 1), key="k1"), placed(log, vault, ("A", 1), key="k2")]
    for it in orders:
        counter(log).command(it, AcceptPick(store=S1))

    stops = walk(need for it in orders for need in needs(log.order(it), S1))

    assert [(it.sku, it.units, dict(it.orders)) for it in stops] == [
        ("A", 4, {orders[0]: 3, orders[1]: 1}),
        ("MUG", 2, {orders[0]: 2}),
    ]


def test_what_was_found_goes_to_who_is_due_first_and_what_lacks_to_who_is_last(log: LiveLog, vault: Vault) -> None:
    first, second = placed(log, vault, ("A", 3), key="k1"), placed(log, vault, ("A", 3), key="k2")
    for it in (first, second):
        counter(log).command(it, AcceptPick(store=S1))
    wanted = [need for it in (first, second) for need in needs(log.order(it), S1)]

    shares = share_out(wanted, {"A": 4}, {"A": 2})

    assert {order: [(it.picked, it.missing) for it in lines] for order, lines in shares.items()} == {
        first: [(3, 0)],
        second: [(1, 2)],
    }


def test_what_lacks_without_anything_found_is_the_last_ones(log: LiveLog, vault: Vault) -> None:
    first, second = placed(log, vault, ("A", 3), key="k1"), placed(log, vault, ("A", 3), key="k2")
    for it in (first, second):
        counter(log).command(it, AcceptPick(store=S1))
    wanted = [need for it in (first, second) for need in needs(log.order(it), S1)]

    shares = share_out(wanted, {}, {"A": 2})

    assert {order: [(it.picked, it.missing) for it in lines] for order, lines in shares.items()} == {second: [(0, 2)]}


def test_a_missing_component_spares_the_kit_of_the_same_order(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault, ("A", 3), ("SET", 2))
    counter(log).command(order, AcceptPick(store=S1))

    [lines] = share_out(needs(log.order(order), S1), {"A": 4}, {"A": 1}).values()

    assert {it.line: (it.sku, it.picked, it.missing) for it in lines} == {1: (None, 2, 1), 2: ("A", 2, 0)}


def test_more_than_is_needed_is_refused_before_anything_is_said(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault, ("A", 2))
    counter(log).command(order, AcceptPick(store=S1))

    with pytest.raises(NotDone, match="1 x A would be left over"):
        share_out(needs(log.order(order), S1), {"A": 3}, {})


# The scanner


class Gun:
    """Somebody with a scanner in the store."""

    def __init__(self, log: LiveLog, vault: Vault) -> None:
        self.log = log
        self.scanner = Scanner(S1, shop_catalogue(), gtin14, vault)

    def __call__(self, text: str) -> str:
        """The kind of the code, and the problem or the command."""
        read = self.scanner.read(text, {it.order: it for it in book_of(self.log).in_store(S1)})
        if read.command is not None:
            counter(self.log, f"gun{self.log.now_ms}").command(read.order, read.command)
            return f"{read.kind.value}: {type(read.command).__name__}"
        return f"{read.kind.value}: {read.problem}"


def test_a_whole_order_with_nothing_but_a_scanner(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault, ("A", 1), ("SET", 1))
    gun = Gun(log, vault)

    told = [gun(it) for it in (shown(order), "4006381333931", "MUG", "(01)00000096385074(10)LOT7", "A", "@B2")]
    told.append(gun(f"https://shop.example/p?t={vault.codes.token(order, 1).lower()}"))

    assert told == [
        "order: AcceptPick",
        *["item: RecordPick"] * 4,
        "location: StageOrder",
        "token: HandOver",
    ]
    assert log.order(order).state is LineState.HANDED_OVER


def test_a_scanner_tells_what_does_not_belong_and_what_is_enough(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault, ("A", 1))
    gun = Gun(log, vault)

    before = gun("A")
    gun(order)
    enough = [gun("A"), gun("A")]
    foreign = gun("96385074")
    nothing = Gun(log, vault)("what is this")

    assert before == "item: scan the order number first, then its goods"
    assert enough == ["item: RecordPick", "item: enough of Bananas is picked"]
    assert foreign == "item: Mug does not belong to this order: put it back"
    assert nothing == "unknown: 'what is this' is not a known code"


def test_a_used_qr_code_opens_nothing(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)
    gun, token = Gun(log, vault), vault.codes.token(order, 1)

    assert gun(token) == "token: HandOver"
    assert gun(token).startswith("token: no order here has this QR code")
    assert not is_token_of(vault.codes, log.order(order), token)


def test_six_digits_count_for_the_order_that_was_scanned_only(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    ready(log, order)
    gun, code = Gun(log, vault), vault.codes.code(order, 1)

    assert gun(code) == "code: scan or type the order number first, then the six digits"
    gun(order)
    assert gun(f"{code[:3]} {code[3:]}") == "code: HandOver"


def test_codes_are_told_apart_by_their_shape() -> None:
    token = "2LDDXRRLE5XUPRZKL5H4HRVNEY"

    assert token_in(f"BOPIS:{token}") == token
    assert token_in(token + "A") is None
    assert number_in("order 4006381333931") is None
    assert CodeKind("order") is CodeKind.ORDER


# Who the customer is


@pytest.mark.parametrize(
    ("field", "value", "shown_as"),
    [
        ("name", "Anna Example", "A… E…"),
        ("email", "anna@shop.example", "a…@shop.example"),
        ("email", "broken", "…"),
        ("phone", "+49 30 1234567", "…567"),
        ("note", "back door", "…"),
    ],
)
def test_what_need_not_be_known_is_masked(field: str, value: str, shown_as: str) -> None:
    assert masked(field, value) == shown_as


def test_a_placement_twice_under_one_number_and_key_is_no_refusal(log: LiveLog, vault: Vault) -> None:
    order = placed(log, vault)
    row = log.order(order)
    lines = tuple(RequestedLine(code=it.sku, quantity=it.quantity) for it in row.lines)

    assert placed(log, vault, *((it.code, it.quantity) for it in lines)) == order
    assert sum(isinstance(it, PlaceOrder) for it in said(log)) == 2


def said(log: LiveLog) -> list[Any]:
    from bopis.wire.orders import ORDERS

    records = [it for (topic, _), held in log.records.items() if topic == "orders" for it in held]
    return [ORDERS.decode(it.value or b"").data for it in records]
