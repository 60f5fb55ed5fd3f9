"""The pure parts: typed quantities as commands, texts without commands, how late, the language."""

from typing import Any

import pytest

from bopis.domain.orders.state import Order
from bopis.domain.payments.money import minor_of
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.services.catalogue import Catalogue
from bopis.services.counter.refusal_text import TOO_EARLY, TOO_LATE, WHY
from bopis.web.pages import counter_forms as forms
from bopis.web.pages.counter_forms import Form
from bopis.web.pages.counter_view import on_page, waiting_text, when_text
from bopis.web.pages.customer_texts import CustomerTexts, choose_language, languages
from bopis.web.problems import Problem
from bopis.wire.catalogue import Article
from tests.services.checkout.live import counter
from tests.web.counter.world import World

HAM = Catalogue([Article(sku="HAM", name="Ham", unit="g"), Article(sku="A", name="Bananas")])


def form(**fields: Any) -> Form:
    return Form(fields={name: it if isinstance(it, list) else [it] for name, it in fields.items()})


@pytest.mark.parametrize(
    ("text", "unit", "units"),
    [("", "each", 0), ("3", "each", 3), (" 2 ", "each", 2), ("0.5kg", "g", 500), ("250", "g", 250)],
)
def test_quantities_are_read_in_the_articles_unit(text: str, unit: str, units: int) -> None:
    assert forms.quantity(text, unit) == units


@pytest.mark.parametrize(("text", "unit"), [("x", "each"), ("-1", "each"), ("1.5", "each"), ("2 l", "g")])
def test_a_text_that_is_no_quantity_is_refused_with_an_example(text: str, unit: str) -> None:
    with pytest.raises(Problem) as refused:
        forms.quantity(text, unit)

    assert (refused.value.status, bool(refused.value.detail)) == (422, True)


@pytest.mark.parametrize(
    ("found", "missing", "picked"),
    [("3", "0", (3, 0)), ("2", "1", (2, 1)), ("0", "3", (0, 3)), ("1", "", (1, 0))],
)
def test_steppers_become_found_and_missing(found: str, missing: str, picked: tuple[int, int], world: World) -> None:
    order = accepted(world)

    body = forms.picks(form(line="1", sku="A", found=found, missing=missing), order, "S1", world.site.stock.catalogue)

    assert body == {"lines": [{"line": 1, "picked": picked[0], "missing": picked[1]}]}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"line": "9", "sku": "A", "found": "1", "missing": "0"}, 409),
        ({"line": "1", "sku": "A", "found": "0", "missing": "0"}, 422),
    ],
)
def test_a_pick_of_nothing_or_of_another_line_is_refused(fields: dict[str, str], status: int, world: World) -> None:
    with pytest.raises(Problem) as refused:
        forms.picks(form(**fields), accepted(world), "S1", HAM)

    assert refused.value.status == status


@pytest.mark.parametrize(
    ("lines", "units", "body"),
    [
        (["1", "2"], ["3", "1"], {}),
        (["1", "2"], ["3", "0"], {"lines": [1], "parts": []}),
        (["1", "2"], ["2", "1"], {"lines": [2], "parts": [{"line": 1, "quantity": 2}]}),
    ],
)
def test_a_partial_hand_over_names_lines_and_parts(
    lines: list[str], units: list[str], body: dict[str, Any], world: World
) -> None:
    number = world.place(("A", 3), ("MUG", 1))
    world.ready(number)

    assert forms.chosen(form(line=lines, units=units), world.log.order(number), "S1", HAM) == body


def test_more_than_there_is_cannot_be_handed_over(world: World) -> None:
    number = world.place(("A", 3))
    world.ready(number)

    with pytest.raises(Problem, match="only 3 x Bananas"):
        forms.chosen(form(line="1", units="4"), world.log.order(number), "S1", HAM)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12,5", "EUR", 1250),
        ("12", "JPY", 12),
        ("1.5", "JPY", None),
        ("-1", "EUR", None),
        ("", "EUR", None),
        ("1e3", "EUR", None),
    ],
)
def test_sums_are_read_in_their_currency(text: str, currency: str, minor: int | None) -> None:
    assert minor_of(text, currency) == minor


@pytest.mark.parametrize("text", [*WHY.values(), *TOO_EARLY.values(), *TOO_LATE.values()])
def test_no_refusal_names_a_command_on_a_page(text: str) -> None:
    shown = on_page(f"Order 4K7P-92QX: {text}. [wrong_code]")

    assert not [it for it in ("bopis", "--", "`", "[") if it in shown], shown


@pytest.mark.parametrize(
    ("due_ms", "text"),
    [
        (0, ""),
        (1 << 60, ""),
        (-12 * MINUTE_MS, "12 min late"),
        (25 * MINUTE_MS, "in 25 min"),
        (3 * HOUR_MS, "in 3 h"),
        (-50 * HOUR_MS, "2 days late"),
        (10, "now"),
    ],
)
def test_cards_say_how_late_it_is(due_ms: int, text: str) -> None:
    now_ms = 1_000 * HOUR_MS
    assert when_text(due_ms if due_ms in (0, 1 << 60) else now_ms + due_ms, now_ms) == text


@pytest.mark.parametrize(("minutes", "text"), [(0, "just arrived"), (4, "waits 4 min")])
def test_cards_say_how_long_a_customer_waits(minutes: int, text: str) -> None:
    assert waiting_text(1, 1 + minutes * MINUTE_MS) == text


@pytest.mark.parametrize(
    ("customer", "accepted", "default", "language"),
    [
        ("de", "en", "en", "de"),
        ("de-AT", "", "en", "de"),
        ("DE_at", "", "en", "de"),
        ("", "fr, de;q=0.5, en;q=0.4", "en", "de"),
        ("", "en;q=0.1, de;q=0.9", "en", "de"),
        ("", "de;q=0, en", "de", "en"),
        ("xx", "", "de", "de"),
        ("", "*;q=x,,;", "xx", "en"),
    ],
)
def test_the_language_is_the_customers_then_the_browsers_then_the_shops(
    customer: str, accepted: str, default: str, language: str
) -> None:
    assert choose_language(customer, accepted, default) == language


def test_every_language_has_every_word() -> None:
    words = {it: CustomerTexts(it).words for it in languages()}
    keys = {
        language: {name: set(it) if isinstance(it, dict) else set() for name, it in found.items()}
        for language, found in words.items()
    }
    own = {"locale", "instant", "day", "day_end", "days", "months"}

    assert languages() >= {"en", "de"}
    reference = {name: it for name, it in keys["en"].items() if name not in own}
    for language, found in keys.items():
        assert {name: it for name, it in found.items() if name not in own} == reference, language


def accepted(world: World) -> Order:
    from bopis.domain.orders.messages import AcceptPick

    number = world.place(("A", 3))
    counter(world.log).command(number, AcceptPick(store="S1"))
    return world.log.order(number)
