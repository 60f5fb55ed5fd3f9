"""Fields of filters and forms as browsers send them: what they mean, and the refusal of what they cannot mean."""

from datetime import UTC, datetime

import pytest

from bopis.domain.inventory.rows import StockRule, Store
from bopis.readside.queries.stock_table import StockCell, StockFilter, StockOrder
from bopis.services.catalogue import Catalogue
from bopis.web.answers import encode_cursor
from bopis.web.exports import csv_lines, plain_cell
from bopis.web.pages.fields import instant_of, whole_number
from bopis.web.pages.inventory import TableFilter, found_skus, question
from bopis.web.pages.orders_actions import amount_of
from bopis.web.pages.routing import parsed
from bopis.web.pages.stores_policy import DraftQuery, changes_of, draft_of, drafted, preview_of
from bopis.web.problems import Problem
from bopis.wire.catalogue import Article

ARTICLES = Catalogue(
    [
        Article(sku="4011", name="Bananas", category="PRODUCE"),
        Article(sku="OAT-1L", name="Oat drink 1 l", category="DRINKS"),
        Article(sku="MILK-1L", name="Whole milk 1 l", category="DRINKS"),
    ]
)


@pytest.mark.parametrize(
    ("search", "category", "skus"),
    [
        ("", "", ()),
        ("milk", "", ("MILK-1L",)),
        ("oat", "", ("OAT-1L",)),
        ("40", "", ("4011",)),
        ("1 l", "", ("MILK-1L", "OAT-1L")),
        ("", "DRINKS", ("MILK-1L", "OAT-1L")),
        ("oat", "DRINKS", ("OAT-1L",)),
        ("banana", "DRINKS", ()),
        ("zzz", "", ()),
    ],
)
def test_a_search_finds_names_and_beginnings_of_codes(search: str, category: str, skus: tuple[str, ...]) -> None:
    assert found_skus(ARTICLES, search, category) == skus


def test_what_the_catalogue_does_not_know_is_the_beginning_of_a_code() -> None:
    known, unknown = (question(TableFilter(search=text), ARTICLES) for text in ("milk", "X-9"))

    assert (known.skus, known.prefix) == (("MILK-1L",), "")
    assert (unknown.skus, unknown.prefix) == ((), "X-9")


def test_a_filter_becomes_a_question() -> None:
    cursor = encode_cursor(StockCell("S1", "A", 3))
    found = question(TableFilter(store=" S1 ", only="low", sort="units", cursor=cursor), ARTICLES)

    assert (found.store, found.only, found.order) == ("S1", StockFilter.LOW, StockOrder.UNITS)
    assert found.after == StockCell("S1", "A", 3)


@pytest.mark.parametrize("fields", [{"only": "odd"}, {"sort": "odd"}, {"cursor": "AAAA"}, {"cursor": "!"}])
def test_a_filter_that_is_none_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        question(TableFilter(**fields), ARTICLES)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("", None),
        ("2026-11-30T10:47", datetime(2026, 11, 30, 10, 47, tzinfo=UTC)),
        ("2026-11-30T10:47+01:00", datetime(2026, 11, 30, 9, 47, tzinfo=UTC)),
    ],
)
def test_an_instant_without_a_zone_is_in_utc(text: str, instant: datetime | None) -> None:
    assert instant_of(text) == instant


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00", "0001-01-01T00:00+14:00"])
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        instant_of(text)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_text_of_an_export_is_a_formula(text: str) -> None:
    assert plain_cell(text) == f"'{text}"
    assert plain_cell("4011") == "4011"


def test_an_export_quotes_what_csv_needs_quoted() -> None:
    assert csv_lines([('a,"b"', 1)]) == '"a,""b""",1\r\n'


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("", "EUR", None), ("12.50", "EUR", 1250), ("12,5", "EUR", 1250), ("1250", "JPY", 1250), ("1.234", "KWD", 1234)],
)
def test_an_amount_is_in_minor_units(text: str, currency: str, amount: int | None) -> None:
    assert amount_of(text, currency) == amount


@pytest.mark.parametrize("text", ["x", "0", "-1", "1.005", "NaN", "Infinity", "1e400", "9" * 20])
def test_a_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        amount_of(text, "EUR")

    assert refused.value.status == 422


@pytest.mark.parametrize(
    "text", ["", "name = 3", "not toml [", 'name = "x"\nversion = 0', 'name = "x"\nversion = 1\nx = 1']
)
def test_rules_that_cannot_be_used_are_refused_with_the_cause(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parsed(text)

    assert refused.value.status == 422
    assert refused.value.detail


PRESENT = Store(rules={"store": StockRule(safety_stock=2)})


def test_a_draft_changes_a_copy_of_the_policy() -> None:
    asked = DraftQuery(store="S1", pickup="on", grace="9", staleness="250", scope="sku", name="4011", safety_stock="4")
    draft = draft_of(asked, PRESENT)
    then = drafted(PRESENT, draft)

    assert (then.pickup, then.staleness_grace_minutes, then.staleness_percent) == (True, 9, 250)
    assert then.rules == {"store": StockRule(safety_stock=2), "sku:4011": StockRule(safety_stock=4)}
    assert PRESENT.rules == {"store": StockRule(safety_stock=2)}
    assert len(changes_of(draft, PRESENT)) == 2


def test_a_draft_of_the_present_policy_sends_nothing() -> None:
    draft = draft_of(DraftQuery(store="S1", pickup="on", grace="5", safety_stock="2"), PRESENT)

    assert changes_of(draft, PRESENT) == []
    assert not preview_of([], PRESENT, drafted(PRESENT, draft), []).differs


def test_two_empty_fields_remove_a_rule() -> None:
    draft = draft_of(DraftQuery(store="S1", pickup="on"), PRESENT)

    assert drafted(PRESENT, draft).rules == {}
    assert len(changes_of(draft, PRESENT)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"grace": "x"},
        {"grace": "100001"},
        {"staleness": "1001"},
        {"scope": "sku"},
        {"scope": "odd"},
        {"safety_stock": "-1"},
        {"safety_stock": "²"},
    ],
)
def test_a_draft_that_cannot_be_used_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        draft_of(DraftQuery(store="S1", **fields), PRESENT)

    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("365", 365),
        ("366", None),
        ("", None),
        ("-1", None),
        ("²", None),
        ("٣", None),
        ("9" * 5_000, None),
    ],
)
def test_a_whole_number_has_plain_digits_and_a_limit(text: str, number: int | None) -> None:
    assert whole_number(text, 365) == number
