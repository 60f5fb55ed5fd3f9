"""Text of mails: amounts, reasons, addresses, opening hours, the shop's own face."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from msgspec.structs import replace

from bopis.adapters.notices.brand import Brand, Logo, brand_of
from bopis.adapters.notices.errors import ChannelMisconfigured
from bopis.adapters.notices.local_texts import in_locale
from bopis.adapters.notices.mail import MailIdentity, composed
from bopis.adapters.notices.rendering import TemplateRenderer
from bopis.domain.notices.messages import MissingStock, NoticeLine
from bopis.domain.notices.vocabulary import Channel, Milestone
from bopis.domain.orders.vocabulary import EndReason
from bopis.domain.payments.money import plain_amount
from bopis.domain.values import epoch_ms
from bopis.services.notifier.notifier import Notifier, NotifierDependencies
from bopis.settings import Settings
from bopis.wire.catalogue import Article
from streams.process.compose import notifier as composed_notifier
from tests.services.notices.letters import STORE, Desk

PRICED = {
    "lines": (
        NoticeLine(line=1, sku="A", quantity=2, unit_cents=149),
        NoticeLine(line=2, sku="HAM", quantity=300, unit_cents=2),
    ),
    "currency": "USD",
}
LACKING = MissingStock(sku="A", wanted=9, store="S1", available=2, other="S2", other_available=5)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.notifier.reference.articles["HAM"] = Article(sku="HAM", name="Ham", unit="g")
    made.notifier.reference.stores["S2"] = replace(STORE, store_id="S2", name="Oak Square", phone="+1 217 555 0100")
    return made


def branded(desk: Desk, brand: Brand) -> Desk:
    """The desk with a renderer of a brand."""
    dependencies: NotifierDependencies = desk.notifier._dependencies
    told = desk.notifier.reference
    desk.notifier = Notifier(replace(dependencies, renderer=TemplateRenderer(brand=brand)))
    desk.notifier.reference = told
    return desk


def test_a_mail_has_the_price_of_each_line_and_the_sum_to_pay_in_the_store(desk: Desk) -> None:
    text = desk.letter(Milestone.READY, pay_in_store=True, **PRICED).words.text

    assert "2 × Milk & <Honey>: $2.98 ($1.49 each)" in text
    assert "300 g Ham: $6.00" in text
    assert "To pay in store: $8.98" in text


@pytest.mark.parametrize(
    ("milestone", "line"),
    [
        (Milestone.PLACED, "Total: $8.98"),
        (Milestone.COLLECTED, "Total: $8.98"),
        (Milestone.REFUNDED, "Refund: $8.98"),
        (Milestone.CANCELLED, ""),
        (Milestone.EXPIRED, ""),
        (Milestone.SUBSTITUTE_OFFERED, ""),
    ],
)
def test_the_sum_is_named_by_its_milestone_and_left_out_where_nothing_is_paid(
    milestone: Milestone, line: str, desk: Desk
) -> None:
    text = desk.letter(milestone, **PRICED).words.text

    assert line in text
    assert ("$" in text) is bool(line)


@pytest.mark.parametrize("case", ["o2-32"])
@pytest.mark.parametrize(("quantity", "shown"), [(300, "300 g Ham"), (1, "1 g Ham")])
def test_weighed_goods_are_shown_in_their_unit(case: str, quantity: int, shown: str, desk: Desk) -> None:
    words = desk.letter(Milestone.READY, lines=(NoticeLine(line=1, sku="HAM", quantity=quantity),)).words

    assert shown in words.text
    assert f">{shown.removesuffix(' Ham')}</td>" in words.html


@pytest.mark.parametrize(
    ("minor", "currency", "tag", "shown", "coded"),
    [
        (1240, "USD", "en_US", "$12.40", "12.40 USD"),
        (1240, "EUR", "de_DE", "12,40\xa0€", "12.40 EUR"),
        (1240, "JPY", "ja_JP", "￥1,240", "1240 JPY"),
        (1240, "KWD", "en_US", "KWD\xa01.240", "1.240 KWD"),
        (1240, "IQD", "en_US", "IQD\xa01.240", "1.240 IQD"),
        (-5, "usd", "en_US", "-$0.05", "-0.05 usd"),
        (1240, "", "en_US", "12.40", "12.40"),
    ],
)
def test_amounts_have_the_decimal_places_of_their_currency(
    minor: int, currency: str, tag: str, shown: str, coded: str
) -> None:
    assert in_locale(minor, currency, Locale.parse(tag)) == shown
    assert plain_amount(minor, currency) == coded


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("reason", list(EndReason))
def test_a_cancellation_says_its_reason(reason: EndReason, language: str, desk: Desk) -> None:
    texts = {
        it: desk.letter(Milestone.CANCELLED, reason=it, language=language).words.text
        for it in (reason.value, "unknown")
    }

    assert len(texts[reason.value]) > len(texts["unknown"])
    is_regretted = any(word in texts[reason.value] for word in ("sorry", "leid"))
    assert is_regretted or reason.value.startswith(("customer", "fraud", "offer", "payment"))


def test_an_offer_says_what_is_missing_where_and_how_to_answer(desk: Desk) -> None:
    offer: dict[str, Any] = {"store": "S2", "wanted_store": "S1", "answer_by_ms": at("2026-11-22T14:08:00-06:00")}

    english = desk.letter(Milestone.ALTERNATIVE_OFFERED, **PRICED, **offer).words
    german = desk.letter(Milestone.ALTERNATIVE_OFFERED, language="de", **PRICED, **offer).words

    assert "Main Street cannot prepare 2 × Milk & <Honey>, 300 g Ham. Oak Square can" in english.text
    assert "To answer, call +1 217 555 0100 by Sunday, November 22, 2026, 2:08 PM." in english.text
    assert "Call +1 217 555 0100" in english.short
    assert "Main Street kann 2 × Milk & <Honey>, 300 g Ham nicht bereitstellen" in german.text


def test_an_order_in_another_store_than_was_chosen_says_so(desk: Desk) -> None:
    words = desk.letter(Milestone.READY, store="S2", wanted_store="S1").words

    assert "you collect it at Oak Square, not at Main Street" in words.text
    assert "not at" not in desk.letter(Milestone.READY, store="S1", wanted_store="S1").words.text


def test_many_missing_lines_are_named_in_the_list_alone(desk: Desk) -> None:
    lines = tuple(NoticeLine(line=number, sku="A", quantity=1) for number in range(1, 6))

    words = desk.letter(Milestone.SUBSTITUTE_OFFERED, lines=lines, reason="HAM", offered_cents=2, currency="USD").words

    assert "does not have the items below. We can give you Ham ($0.02 each) instead." in words.text


def test_the_last_reminder_says_that_it_is_the_last(desk: Desk) -> None:
    first, last = (desk.letter(Milestone.REMINDER, is_last=it).words for it in (False, True))

    assert first.subject == "Your order 4K7P-92QX is waiting"
    assert last.subject == "Last reminder: your order 4K7P-92QX is waiting"


def test_the_text_of_a_mail_needs_no_picture(desk: Desk) -> None:
    for milestone in Milestone:
        text = desk.letter(milestone, answer_by_ms=at("2026-11-23T14:00:00-06:00")).words.text

        assert "picture" not in text
        assert "below the" not in text


@pytest.mark.parametrize(
    ("time_zone", "state", "shown"),
    [
        ("America/Chicago", "IL", "12 Main Street, Springfield, IL 62701"),
        ("Australia/Sydney", "NSW", "12 Main Street, Springfield, NSW 62701"),
        ("Europe/London", "", "12 Main Street, Springfield 62701"),
        ("Europe/Berlin", "", "12 Main Street, 62701 Springfield"),
        ("UTC", "XX", "12 Main Street, 62701 Springfield, XX"),
    ],
)
def test_an_address_is_in_the_order_of_its_country(time_zone: str, state: str, shown: str, desk: Desk) -> None:
    desk.notifier.reference.stores["S1"] = replace(STORE, time_zone=time_zone, state=state)

    assert f"Where: Main Street, {shown}\n" in desk.letter().words.text


@pytest.mark.parametrize("case", ["o2-26"])
@pytest.mark.parametrize(
    ("hours", "days"),
    [
        (
            "Mo-Su 00:00-24:00",
            ["Sun, Nov 22: open 24 hours", "Mon, Nov 23: open 24 hours", "Tue, Nov 24: open 24 hours"],
        ),
        (
            "Mo-Fr 00:00-24:00; Sa,Su 08:00-20:00",
            ["Sun, Nov 22: 8:00 AM–8:00 PM", "Mon, Nov 23: open 24 hours", "Tue, Nov 24: open 24 hours"],
        ),
        (
            "Mo-Su 08:00-12:00,22:00-02:00",
            ["Sun, Nov 22: 8:00 AM–12:00 PM, 10:00 PM–2:00 AM", "Mon, Nov 23: 8:00 AM–12:00 PM, 10:00 PM–2:00 AM"],
        ),
        (
            "Sa 08:00-24:00; Su 00:00-20:00; Mo off",
            ["Sun, Nov 22: 12:00 AM–8:00 PM", "Mon, Nov 23: closed", "Tue, Nov 24: closed"],
        ),
    ],
)
def test_days_around_the_clock_and_nights_are_shown_to_the_customer(
    case: str, hours: str, days: list[str], desk: Desk
) -> None:
    desk.notifier.reference.stores["S1"] = replace(STORE, opening_hours=hours)

    text = desk.letter().words.text

    assert [it for it in days if f"  {it}\n" not in text] == [], text


def test_opening_hours_reach_to_the_last_day_of_the_pickup_window(desk: Desk) -> None:
    text = desk.letter(window_end_ms=at("2026-11-27T20:00:00-06:00")).words.text

    assert "  Fri, Nov 27: 8:00 AM–8:00 PM\n" in text
    assert "Nov 28" not in text


def test_the_shops_face_is_on_its_mails(desk: Desk) -> None:
    logo = Logo(PNG, "png")
    brand = Brand(
        name="Corner <Market>",
        colour="#aa0000",
        logo=logo,
        reply_to="help@corner.example",
        shop_url="https://corner.example/o/{order}",
    )
    letter = branded(desk, brand).letter()

    mail = composed(letter, MailIdentity(sender="shop@corner.example", brand=brand))

    html = letter.words.html
    assert (str(mail["From"]), mail["Reply-To"]) == ('"Corner <Market>" <shop@corner.example>', "help@corner.example")
    assert 'src="cid:brand-logo" alt="Corner &lt;Market&gt;"' in html
    assert "border-top:6px solid #aa0000" in html
    assert f'href="https://corner.example/o/{letter.order}"' in html
    assert "To cancel, write to help@corner.example." in letter.words.text
    related = mail.get_payload()[1].get_payload()  # type: ignore[index, union-attr]
    assert [it["Content-ID"] for it in related[1:]] == ["<brand-logo>", "<pickup-code>"]
    assert related[1].get_content() == PNG


@pytest.mark.parametrize("milestone", [Milestone.PLACED, Milestone.READY, Milestone.ALTERNATIVE_OFFERED])
def test_mails_link_to_the_page_of_the_order_where_there_is_one(milestone: Milestone, desk: Desk) -> None:
    dependencies: NotifierDependencies = desk.notifier._dependencies
    known, desk.notifier = desk.notifier.reference, Notifier(replace(dependencies, pages_url="https://pickup.example"))
    desk.notifier.reference = known

    letter = desk.letter(milestone)

    page = f"https://pickup.example/o/{letter.order}/{desk.vault.codes.token(letter.order, 1)}"
    assert f'href="{page}"' in letter.words.html
    assert f"{page}#cancel" in letter.words.text
    assert (f"{page}#answer" in letter.words.text) is (milestone is Milestone.ALTERNATIVE_OFFERED)


@pytest.mark.parametrize(
    ("shop_url", "pages_url"), [("", "https://pickup.example"), ("https://shop.example/{order}", "")]
)
def test_a_shop_with_pages_of_its_own_keeps_them(shop_url: str, pages_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, web_url="https://pickup.example", shop_url=shop_url)

    with composed_notifier(settings) as made:
        assert made._dependencies.pages_url == pages_url


def test_without_settings_nothing_is_invented(desk: Desk) -> None:
    words = desk.letter(channel=Channel.EMAIL).words

    assert "To cancel, contact the store." in words.text
    assert words.html.count("href=") == 1  # the map


@pytest.mark.parametrize(("colour", "links"), [("#ffee00", "#2c6b2f"), ("#003366", "#003366")])
def test_links_have_the_shops_colour_if_it_can_be_read(colour: str, links: str) -> None:
    assert Brand(colour=colour).link_colour == links


@pytest.mark.parametrize("content", [None, b"<svg/>", PNG + bytes(200_000)])
def test_a_logo_that_cannot_be_used_is_refused_by_its_setting(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ChannelMisconfigured, match="brand_logo cannot be used"):
        brand_of(Settings(brand_logo=str(file)))


def test_a_logo_is_a_file_or_an_address(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)

    filed, linked = (
        brand_of(Settings(brand_logo=it)) for it in (str(tmp_path / "logo.png"), "https://c.example/l.png")
    )

    assert (filed.logo, filed.logo_source) == (Logo(PNG, "png"), "cid:brand-logo")
    assert linked.logo_source == "https://c.example/l.png"


def at(text: str) -> int:
    return epoch_ms(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("missing", "language", "said"),
    [
        (
            MissingStock(
                sku="A", wanted=9, store="S1", available=2, other="S2", other_available=5, other_distance_m=94_000
            ),
            "en",
            "You ordered 9 × Milk & <Honey>; Main Street has 2. Oak Square has 5, 58 mi away. You pay nothing",
        ),
        (
            MissingStock(
                sku="A", wanted=9, store="S1", available=2, other="S2", other_available=5, other_distance_m=2_400
            ),
            "en-IE",
            "Oak Square has 5, 2.4 km away.",
        ),
        (
            MissingStock(sku="HAM", wanted=7000, store="S1", available=5700),
            "de",
            "Bestellt: 7000 g Ham; Main Street hat davon 5700 g. Sie bezahlen nichts",
        ),
        (
            MissingStock(sku="A", wanted=1, store="S1", available=-3, other="S2", other_available=1),
            "en",
            "You ordered 1 × Milk & <Honey>; Main Street has none left. Oak Square has 1. You pay",
        ),
    ],
)
def test_a_cancellation_names_what_was_wanted_what_there_is_and_where_else(
    missing: MissingStock, language: str, said: str, desk: Desk
) -> None:
    letter = desk.letter(Milestone.CANCELLED, reason="no_store", missing=(missing,), language=language).words

    assert said in letter.text
    assert "<Honey>" not in letter.html
