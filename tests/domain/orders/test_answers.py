"""What the inventory concludes about an order reaches it, and only it."""

from bopis.domain.inventory.messages import ExtendHold, OrderLine, PosSale, ReserveStock, SaleLine
from bopis.domain.inventory.step import step
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK
from streams.processors.inventory import conclusions
from tests.domain.books import NOON_MS, Shop, at
from tests.domain.orders.world import World


def told(shop: Shop, data: object, **header: object) -> list[tuple[str, object]]:
    """What the inventory writes to ``orders``: to whom, and what."""
    message = shop.message(data, **header)
    value = STOCK.encode(message)
    outputs = conclusions(message, NOON_MS, step(shop.rows, message, NOON_MS, value))
    answers = [ORDERS.decode(it.value) for it in outputs if it.topic == "orders"]
    assert [it.subject.encode() for it in answers] == [it.key for it in outputs if it.topic == "orders"]
    assert len({(it.source, it.id) for it in answers}) == len(answers)
    return [(it.subject, it.data) for it in answers]


def reserve(hold: str, order: str, units: int) -> ReserveStock:
    line = OrderLine(line=1, sku="A", quantity=units)
    return ReserveStock(hold=hold, order=order, lines=(line,), hold_until=at(NOON_MS + 1))


def test_each_order_that_a_shortfall_hits_hears_of_its_own_loss() -> None:
    shop = Shop()
    shop.say(PosSale(basket="opening", lines=(SaleLine("A", -4),)))
    for n in (1, 2):
        shop.say(reserve(f"h{n}", f"order-{n}", 2))

    answers = told(shop, PosSale(basket="b", lines=(SaleLine("A", 4),)))

    assert [(order, [(hit.order, hit.lost) for hit in data.hits]) for order, data in answers] == [  # type: ignore[attr-defined]
        ("order-2", [("order-2", 2)]),
        ("order-1", [("order-1", 2)]),
    ]


def test_a_sale_that_concerns_no_order_tells_none() -> None:
    assert told(Shop(), PosSale(basket="b", lines=(SaleLine("A", 4),))) == []


def test_a_command_about_a_hold_that_is_not_known_is_refused_to_who_asked() -> None:
    answers = told(Shop(), ExtendHold(hold="h9", hold_until=at(NOON_MS + 1)), correlation="order-9")

    assert [order for order, _ in answers] == ["order-9"]


def test_an_order_under_a_name_that_no_message_can_carry_is_not_told() -> None:
    assert told(Shop(), reserve("h1", "x" * 100, 1)) == []


def test_an_order_that_nobody_placed_ignores_what_is_held_in_its_name() -> None:
    world = World()

    world.tell_stock("S1", reserve("till-hold", "TILLHOLD", 1))

    assert (world.events, world.orders.rows, world.refuses) == ([], {}, [])
