"""Each message once, whatever arrives twice, late or never."""

import json
from zlib import crc32

import pytest

from bopis.domain.inventory.admission import DIGESTS_KEPT, Rejected, open_holes
from bopis.domain.inventory.events import GapClosed, GapFilled, GapFound
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    AgentHeartbeat,
    Condition,
    CountLine,
    PosReturn,
    PosSale,
    ReturnLine,
    SaleLine,
    SetStockRule,
    StockAdjusted,
    StockCounted,
    StockLine,
    StockReceived,
    StockTick,
)
from bopis.domain.inventory.rows import Device, Seen, device_key, seen_key
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.domain.orders.messages import ConfirmPutBack
from bopis.domain.values import CLOCK_AHEAD_MS_MAX, DAY_MS, HOUR_MS, ChangeLine
from bopis.wire.stock import STOCK
from tests.domain.books import NOON_MS, SKU, STORE, Shop, at, kinds

TILL = "till-1"


def sale(seq: int) -> PosSale:
    return PosSale(basket=f"b{seq}", lines=(SaleLine(SKU, 1),))


def ring(shop: Shop, seq: int, **header: object) -> list[object]:
    return list(shop.say(sale(seq), source=TILL, seq=seq, id=f"{TILL}/{seq}", **header))


def device(shop: Shop) -> Device:
    row = shop.rows.get(device_key(STORE, TILL))
    assert isinstance(row, Device)
    return row


@pytest.mark.parametrize(
    ("arrivals", "mark", "gaps"),
    [
        ([1, 2, 3], 3, []),
        ([1, 1, 2, 2], 2, []),
        ([1, 3], 1, [GapFound(device=TILL, first=2, last=2)]),
        ([3], 0, [GapFound(device=TILL, first=1, last=2)]),
        ([1, 3, 4, 5], 1, [GapFound(device=TILL, first=2, last=2)]),
        ([1, 3, 2], 3, [GapFound(device=TILL, first=2, last=2), GapFilled(device=TILL, sequence=2)]),
        (
            [5, 3, 1, 2, 4],
            5,
            [
                GapFound(device=TILL, first=1, last=4),
                *(GapFilled(device=TILL, sequence=n) for n in (3, 1, 2, 4)),
            ],
        ),
    ],
)
def test_sequences_are_accepted_once_in_any_order(arrivals: list[int], mark: int, gaps: list[object]) -> None:
    shop = Shop()

    events = [event for seq in arrivals for event in ring(shop, seq)]

    assert events == gaps
    assert device(shop).mark == mark
    assert shop.on_hand() == -len(set(arrivals))


def test_state_of_a_device_stays_small_behind_a_hole() -> None:
    shop = Shop()
    for seq in (1, *range(3, 500)):
        ring(shop, seq)

    assert device(shop).ranges == [[3, 499]]


def test_a_count_closes_the_holes_it_covers_and_a_late_filler_says_nothing_new_of_them() -> None:
    shop = Shop()
    ring(shop, 1, at_ms=NOON_MS - HOUR_MS)
    ring(shop, 3, at_ms=NOON_MS - HOUR_MS)

    events = shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=9),), closes_gaps=True))

    assert events == [GapClosed(device=TILL, first=2, last=2)]
    assert open_holes(device(shop)) == []
    assert ring(shop, 2, at_ms=NOON_MS - HOUR_MS) == []
    assert shop.on_hand() == 9
    assert device(shop).mark == 3


def test_a_count_does_not_close_holes_of_a_device_heard_from_after_it() -> None:
    shop = Shop()
    ring(shop, 1)
    ring(shop, 3)

    events = shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=9),), closes_gaps=True), at_ms=NOON_MS - HOUR_MS)

    assert events == []
    assert open_holes(device(shop)) == [[2, 2]]


def test_the_same_sequence_with_other_content_is_refused_by_name() -> None:
    shop = Shop()
    ring(shop, 1)

    with pytest.raises(Rejected, match="sequence 1 of 'till-1' was used before with other content"):
        shop.say(sale(99), source=TILL, seq=1, id="other")

    assert shop.on_hand() == -1


def test_a_device_that_lost_its_counter_is_told_from_old_duplicates() -> None:
    shop = Shop()
    for seq in range(1, 200):
        ring(shop, seq)
    shop.now_ms += HOUR_MS

    with pytest.raises(Rejected, match="must take a new source name"):
        ring(shop, 1)


def test_an_old_duplicate_says_nothing() -> None:
    shop = Shop()
    for seq in range(1, 200):
        ring(shop, seq, at_ms=NOON_MS + seq - 1000)

    assert ring(shop, 1, at_ms=NOON_MS - 999) == []
    assert shop.on_hand() == -199


def test_a_message_without_a_sequence_is_told_by_source_and_id() -> None:
    shop = Shop()
    received = StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=4),))

    shop.say(received, id="r1")
    shop.say(received, id="r1")
    shop.say(received, id="r1", source="other desk")

    assert shop.on_hand() == 8


def test_the_same_id_with_other_content_is_refused_by_name() -> None:
    shop = Shop()
    shop.say(StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=4),)), id="r1")

    with pytest.raises(Rejected, match="id 'r1' of 'desk' was used before with other content"):
        shop.say(StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=5),)), id="r1")

    assert shop.on_hand() == 4


def test_a_message_without_a_sequence_may_not_be_older_than_the_memory_of_ids() -> None:
    shop = Shop()

    with pytest.raises(Rejected, match="at most 30 days old"):
        shop.say(StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=4),)), at_ms=NOON_MS - 31 * DAY_MS)


@pytest.mark.parametrize(
    "moved",
    [
        StockAdjusted(reason=AdjustmentReason.CORRECTION, lines=(ChangeLine(sku=SKU, change=2),)),
        PosReturn(basket="4K7P92QX", lines=(ReturnLine(sku=SKU, quantity=2, condition=Condition.SELLABLE),)),
    ],
)
def test_what_an_order_moved_counts_once_although_its_worker_was_away_for_months(moved: object) -> None:
    shop = Shop()
    left_ms = shop.now_ms

    shop.now_ms = left_ms + 90 * DAY_MS
    shop.say(moved, id="o1", source="orders", at_ms=left_ms)
    shop.now_ms = left_ms + 180 * DAY_MS
    shop.say(StockTick(at=at(shop.now_ms)), id="t1", source="inventory")
    shop.say(moved, id="o1", source="orders", at_ms=left_ms)

    assert shop.on_hand() == 2


def test_nobody_but_an_order_may_say_months_later_what_moved() -> None:
    shop = Shop()
    moved = StockAdjusted(reason=AdjustmentReason.CORRECTION, lines=(ChangeLine(sku=SKU, change=2),))

    with pytest.raises(Rejected, match="at most 30 days old"):
        shop.say(moved, at_ms=shop.now_ms - 31 * DAY_MS)
    with pytest.raises(Rejected, match="at most 366 days old"):
        shop.say(moved, source="orders", at_ms=shop.now_ms - 367 * DAY_MS)

    assert shop.on_hand() == 0


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"subject": "S|1"}, "may not contain"),
        ({"subject": "@S"}, "nor start with '@'"),
        ({"at_ms": 1000}, "lies outside 2000 to 2100"),
        ({"at_ms": NOON_MS + CLOCK_AHEAD_MS_MAX + 1}, "more than a day ahead"),
        ({"id": "x" * 129}, "at most 128"),
    ],
)
def test_what_cannot_be_is_rejected_and_leaves_no_trace(header: dict[str, object], said: str) -> None:
    shop = Shop()

    with pytest.raises(Rejected, match=said):
        shop.say(sale(1), **{"source": TILL, "seq": 1, **header})

    assert shop.rows.rows == {}


def test_a_rule_about_two_things_is_rejected_before_anything_is_remembered() -> None:
    shop = Shop()

    with pytest.raises(Rejected, match="send two rules"):
        shop.say(SetStockRule(sku="A", category="dairy", safety_stock=1))

    assert shop.rows.rows == {}


@pytest.mark.parametrize("header", [{"source": "till-1", "seq": 1}, {"id": "x1"}], ids=["sequence", "id"])
def test_a_type_that_is_no_message_on_stock_is_rejected_before_it_is_remembered(header: dict[str, object]) -> None:
    shop = Shop()

    with pytest.raises(Rejected, match="ConfirmPutBack is not a message on stock"):
        step(shop.rows, shop.message(ConfirmPutBack(task="t1"), **header), NOON_MS, value=b"1")

    assert shop.rows.rows == {}


def test_a_heartbeat_moves_nothing_but_is_heard() -> None:
    shop = Shop()

    events = shop.say(AgentHeartbeat(), source=TILL, seq=1)

    assert kinds(events) == []
    assert device(shop).heard_ms == NOON_MS


def resend(shop: Shop, seq: int, again: int) -> list[object]:
    """Ring sale `again` under another sequence: the same id, time and lines."""
    return list(shop.say(sale(again), source=TILL, seq=seq, id=f"{TILL}/{again}"))


def test_o2_58_an_event_under_a_new_sequence_is_the_repeat_it_is() -> None:
    shop = Shop()
    ring(shop, 1)

    events = resend(shop, seq=2, again=1)

    assert events == []
    assert shop.on_hand() == -1
    assert device(shop).mark == 2
    assert ring(shop, 3) == []
    assert shop.on_hand() == -2


def test_o2_58_an_event_under_a_later_sequence_still_opens_the_hole_before_it() -> None:
    shop = Shop()
    ring(shop, 1)

    events = resend(shop, seq=4, again=1)

    assert events == [GapFound(device=TILL, first=2, last=3)]
    assert shop.on_hand() == -1


def test_o2_58_an_id_under_a_new_sequence_with_other_content_is_refused_by_name() -> None:
    shop = Shop()
    ring(shop, 1)

    with pytest.raises(Rejected, match="id 'till-1/1' of 'till-1' was used before with other content"):
        shop.say(sale(99), source=TILL, seq=2, id=f"{TILL}/1")

    assert shop.on_hand() == -1
    assert device(shop).mark == 1


def test_o2_58_the_newest_ids_of_a_device_are_remembered_and_no_more() -> None:
    shop = Shop()
    for seq in range(1, DIGESTS_KEPT + 2):
        ring(shop, seq)

    resend(shop, seq=DIGESTS_KEPT + 2, again=2)

    assert shop.on_hand() == -(DIGESTS_KEPT + 1)


def reordered(message: Message) -> tuple[Message, bytes]:
    """The message as another JSON writer writes it: keys in reverse order, blanks between them, and read again."""

    def turned(node: object) -> object:
        if isinstance(node, dict):
            return {name: turned(node[name]) for name in reversed(node)}
        return [turned(it) for it in node] if isinstance(node, list) else node

    value = json.dumps(turned(json.loads(STOCK.encode(message))), indent=1).encode()
    return STOCK.decode(value), value


@pytest.mark.parametrize("header", [{"source": TILL, "seq": 1, "id": "s1"}, {"id": "s1"}], ids=["sequence", "id"])
def test_o2_58_the_same_content_in_another_order_of_keys_is_a_repeat(header: dict[str, str | int]) -> None:
    shop = Shop()
    first = shop.message(PosSale(basket="b", lines=(SaleLine(SKU, 2), SaleLine("B", 1))), **header)
    shop.hear(first)
    again, value = reordered(first)

    assert step(shop.rows, again, NOON_MS, value) == ()
    assert shop.on_hand() == -2


def test_o2_58_a_repeat_of_a_message_that_an_earlier_version_took_is_recognised_by_its_bytes() -> None:
    shop = Shop()
    numbered = shop.message(sale(1), source=TILL, seq=1, id="s1")
    by_id = shop.message(StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=4),)), id="r1")
    for message in (numbered, by_id):
        shop.hear(message)
    row = device(shop)
    row.ids[:] = bytes(len(row.ids))
    row.digests[4:8] = crc32(STOCK.encode(numbered)).to_bytes(4, "big")
    shop.rows.put(seen_key(STORE, "desk", "r1"), Seen(digest=crc32(STOCK.encode(by_id))))

    assert [shop.hear(message) for message in (numbered, by_id)] == [[], []]
    assert shop.on_hand() == 3


def test_o2_58_a_person_repeats_a_message_under_its_id_at_another_time() -> None:
    shop = Shop()
    received = StockReceived(document="DEL-77", lines=(StockLine(sku=SKU, quantity=4),))

    shop.say(received, id="DEL-77")
    shop.say(received, id="DEL-77", at_ms=NOON_MS - HOUR_MS)

    assert shop.on_hand() == 4
