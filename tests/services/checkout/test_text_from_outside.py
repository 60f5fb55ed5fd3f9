"""Text from outside at the desk: refused with its field, never sealed, sent or printed; long lists get a limit."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bopis.adapters.documents.text import COLUMNS, as_text
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.cli.app.errors import Usage
from bopis.cli.app.parse_lines import read_lines
from bopis.cli.app.render import plain, print_line, table
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX
from bopis.domain.papers import Paper, PaperKind, PaperLine
from bopis.domain.values import LINES_MAX
from bopis.services.checkout import Customer, check_customer
from bopis.services.counter.code_check import Presented, hand_over
from bopis.services.errors import CustomerInvalid, TextUnclean, TooManyLines
from bopis.settings import Settings
from bopis.wire.characters import unclean
from tests.cli.program import run
from tests.services.checkout.live import LiveLog
from tests.services.checkout.test_checkout import basket, checkout

NASTY = ("\x1bp0", "Anna\x07", "Anna\r\nAnsi", "\u202eannA", "\u2066Anna", "Anna\x00", "Anna\x9b1m", "\udcff")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("text", NASTY, ids=ascii)
@pytest.mark.parametrize("field", ["name", "email", "phone", "note"])
def test_o2_27_a_customers_text_is_refused_at_the_counter(field: str, text: str) -> None:
    note = text if field == "note" else ""

    with pytest.raises(CustomerInvalid, match="contains"):
        check_customer(Customer(**({} if note else {field: text})), note)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_o2_27_a_proxys_name_is_refused(vault: Vault, text: str) -> None:
    order: Any = None  # refused before anything is looked up

    with pytest.raises(CustomerInvalid, match="proxy"):
        hand_over(vault, order, "S1", Presented(document="passport", proxy=text))


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_o2_27_no_order_is_placed_with_such_a_text(vault: Vault, text: str) -> None:
    log = LiveLog(S1={"A": 2})

    for request, key in ((basket((text, 1)), "k"), (basket(store=text), "k"), (basket(), text)):
        with pytest.raises(TextUnclean):
            checkout(log, vault).place(request, key)


@pytest.mark.parametrize("count", [ORDER_LINES_MAX + 1, LINES_MAX + 1])
def test_o2_59_too_many_lines_get_a_sentence_with_the_limit_of_an_order(vault: Vault, count: int) -> None:
    words = [f"SKU{number}=1" for number in range(count)]
    typed = read_lines(words, least=1, most=None)

    with pytest.raises(TooManyLines, match=f"at most 200 lines; this one has {count}"):
        checkout(LiveLog(S1={"A": 2}), vault).place(basket(*((it.sku, it.units) for it in typed)), "k")


def test_other_messages_say_their_own_limit() -> None:
    with pytest.raises(Usage, match="1001 lines are too many; give at most 1000 at a time"):
        read_lines([f"SKU{number}=1" for number in range(1_001)], least=1)


@pytest.mark.parametrize(
    ("email", "taken"),
    [
        ("łukasz@przykład.pl", False),
        ("lukasz@przykład.pl", True),
        ("call me", False),
        ("anna@localhost", False),
        ("anna@example.org", True),
    ],
)
def test_o2_31_an_address_that_cannot_be_delivered_everywhere_is_refused(email: str, taken: bool) -> None:
    customer = Customer(name="Anna", email=email)
    if taken:
        check_customer(customer)
        return

    with pytest.raises(CustomerInvalid, match="is no mail address"):
        check_customer(customer)


@pytest.mark.parametrize("text", NASTY[:-1], ids=ascii)
def test_o2_27_what_is_in_old_records_is_never_printed_raw(text: str) -> None:
    out = StringIO()
    console = Console(file=out, width=80)
    grid = table("store", "name")
    grid.add_row(text, plain(text))
    lines = (PaperLine(sku=text, name=text, units=1, part_of=text),)
    paper = Paper(
        kind=PaperKind.PACKING_SLIP, number=text, code="x", store=text, facts=((text, text),), lines=lines, note=text
    )

    console.print(grid)
    print_line(console, f"name {text}")
    printed = out.getvalue() + as_text(paper)

    assert not unclean(printed.replace("\n", ""))
    assert max(map(len, as_text(paper).splitlines())) <= COLUMNS


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_o2_27_a_command_line_with_such_a_text_is_refused(tmp_path: Path, text: str) -> None:
    answer = run("order", "place", "319", "4011=1", "--note", text, "--data-dir", str(tmp_path))

    assert answer.code == 5
    assert "contains" in answer.err
    assert not unclean(answer.err.replace("\n", ""))
