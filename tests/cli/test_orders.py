"""An associate's day with pickup orders, on a running installation: real log, real processors, every word typed."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from bopis.adapters.secrets.vault import open_vault
from bopis.settings import load
from tests.cli.program import Answer, Installation, clean_environment

PATIENCE_SECONDS = 240.0
LEFT = "\x1b[?1049l"  # the terminal as it was before


@pytest.fixture
def shop(bopis: Installation, store: str, tmp_path: Path) -> str:
    """A store with bananas, mugs and breakfast sets of its own; its name stands before each SKU."""
    rows = [
        {"sku": f"{store}-BAN", "name": "Bananas", "category": "produce", "substitutes": f"{store}-ORG"},
        {"sku": f"{store}-ORG", "name": "Organic bananas"},
        {"sku": f"{store}-MUG", "name": "Mug"},
        {"sku": f"{store}-SET", "name": "Breakfast set", "components": f"{store}-MUG*2;{store}-BAN"},
    ]
    file = tmp_path / "catalogue.ndjson"
    file.write_text("".join(json.dumps(it) + "\n" for it in rows))
    assert bopis("catalogue", "import", str(file)).code == 0
    bopis.ask("stock", "receive", store, f"{store}-BAN=20", f"{store}-MUG=10", f"{store}-ORG=5")
    return store


def placed(bopis: Installation, store: str, *lines: str, **options: str) -> str:
    """The number of an order that was promised, as people see it."""
    words = [f"{store}-{line}" for line in lines]
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    told = bopis.ask("order", "place", store, *words, *given, "--alternatives", "never")
    until(bopis, told["shown"], "promised")
    return str(told["shown"])


def until(bopis: Installation, order: str, state: str) -> Any:
    """The order as soon as it is in a state."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (found := bopis.ask("order", "show", order))["state"] != state:
        assert time.monotonic() < give_up, found
        time.sleep(0.2)
    return found


def code_of(bopis: Installation, order: str, version: int = 1) -> tuple[str, str]:
    """The code and the token that the customer was sent."""
    vault = open_vault(load(data_dir=bopis.home))
    try:
        number = order.replace("-", "")
        return vault.codes.code(number, version), vault.codes.token(number, version)
    finally:
        vault.close()


def typed(bopis: Installation, text: str, *words: str) -> Answer:
    """A command that reads what is typed or scanned."""
    answer = Answer(CliRunner().invoke(cli.app, [*words, "--data-dir", str(bopis.home)], input=text))
    assert answer.fault is None, answer.fault
    return answer


def test_the_day_of_an_associate(bopis: Installation, shop: str) -> None:
    anna = placed(bopis, shop, "BAN=3", "SET=2", name="Anna Example", email=f"anna@{shop.lower()}.example")
    bert = placed(bopis, shop, "BAN=2", name="Bert Example")

    queue = bopis.ask("pickup", "queue", shop)["work"]
    early = bopis("pickup", "hand-over", anna, "--code", "000000")
    for it in (anna, bert):
        bopis.ask("pickup", "accept", it)
    list_ = bopis.ask("pickup", "walk", shop, "--picker", "kim")
    walked = bopis.ask("pickup", "walk", shop, "--found", f"{shop}-BAN=6", "--found", f"{shop}-MUG=4")
    rest = bopis.ask("pickup", "short", bert, f"{shop}-BAN=1")
    bopis.ask("pickup", "stage", anna, "A3")
    arrived = bopis.ask("pickup", "arrive", anna, "--where", "bay", "--spot", "7")
    first = bopis.ask("pickup", "queue", shop)["work"][0]
    wrong = bopis("pickup", "hand-over", anna, "--code", "000000", "--json")
    given = bopis.ask("pickup", "hand-over", anna, "--code", code_of(bopis, anna)[0])
    returned = bopis.ask("pickup", "return", anna, "1=1", "--condition", "damaged")
    levels = {it["sku"]: it["terms"] for it in bopis.ask("stock", "show", shop)["levels"]}

    assert [(it["shown"], it["step"]) for it in queue] == [(anna, "accept"), (bert, "accept")]
    assert (early.code, "too_early" in early.err) == (4, True)
    assert {it["sku"]: it["units"] for it in list_["left"]} == {f"{shop}-BAN": 7, f"{shop}-MUG": 4}
    assert {it["sku"]: it["units"] for it in walked["left"]} == {f"{shop}-BAN": 1}
    assert any(it["type"].startswith("bopis.orders.line_short") for it in rest["events"])
    assert arrived["state"] == "arrived"
    assert (first["shown"], first["step"], first["where"], first["spot"]) == (anna, "hand_over", "bay", "7")
    assert (wrong.code, "4 tries left" in wrong.document["error"]["message"]) == (4, True)
    assert given["state"] == "handed_over"
    assert returned["events"][0]["data"]["units"][0]["condition"] == "damaged"
    assert levels[f"{shop}-BAN"]["on_hand"] == 20 - 5
    assert levels[f"{shop}-MUG"]["on_hand"] == 10 - 4


def test_an_order_cancelled_after_picking_leaves_goods_to_put_back(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=2")
    bopis.ask("pickup", "accept", order)
    bopis.ask("pickup", "pick", order)
    unasked = bopis("order", "cancel", order, "--no-input")
    cancelled = bopis.ask("order", "cancel", order, "--yes")
    late = bopis("pickup", "stage", order, "A1", "--store", shop)
    left = bopis.ask("pickup", "not-collected", shop)
    done = bopis.ask("pickup", "put-back", order)

    assert unasked.code == 2
    assert cancelled["state"] == "cancelled"
    assert (late.code, "do not hand it over" in late.err) == (4, True)
    assert [it["shown"] for it in left["put_back"]] == [order]
    assert bopis.ask("pickup", "queue", shop)["work"] == []
    assert any("closed" in it["said"] for it in done["events"])


def test_a_substitute_is_offered_and_taken(bopis: Installation, shop: str) -> None:
    told = bopis.ask("order", "place", shop, f"{shop}-BAN=2", "--on-short", "substitute", "--alternatives", "never")
    order = told["shown"]
    until(bopis, order, "promised")
    bopis.ask("pickup", "accept", order)
    bopis.ask("pickup", "short", order, f"{shop}-BAN=2")
    until(bopis, order, "short")
    offered = bopis.ask("pickup", "substitute", order, "1")
    bopis.ask("pickup", "substitute", order, "1", "--accept")
    taken = until(bopis, order, "picking")

    assert "Organic bananas" in offered["events"][0]["said"]
    assert [it["sku"] for it in taken["lines"]] == [f"{shop}-ORG"]


def test_a_scanner_does_a_whole_order(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1", "MUG=1")
    codes = [order, f"{shop}-BAN", f"{shop}-MUG", f"{shop}-MUG", "@B2", code_of(bopis, order)[1]]

    told = typed(bopis, "\n".join(codes) + "\n\n", "pickup", "scan", shop, "--json")

    assert "scans" in told.document, told.document
    scans = told.document["scans"]
    assert told.code == 4
    assert [it["kind"] for it in scans] == ["order", "item", "item", "item", "location", "token"]
    assert [bool(it["problem"]) for it in scans] == [False, False, False, True, False, False]
    assert bopis.ask("order", "show", order)["state"] == "handed_over"


def test_a_new_code_voids_the_old_one_and_begins_the_tries_anew(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1")
    for words in (("accept", order), ("pick", order), ("stage", order, "A1")):
        bopis.ask("pickup", *words)
    for _ in range(5):
        assert bopis("pickup", "hand-over", order, "--code", "000000").code == 4
    old, new = code_of(bopis, order)[0], code_of(bopis, order, version=2)[0]
    locked = bopis("pickup", "hand-over", order, "--code", old)
    bopis.ask("pickup", "new-code", order)

    void = bopis("pickup", "hand-over", order, "--code", old)
    given = bopis.ask("pickup", "hand-over", order, "--code", new)

    assert "too many wrong codes" in locked.err
    assert "4 tries left" in void.err
    assert given["state"] == "handed_over"


def test_stores_and_open_orders_are_completed(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1")

    orders = completed(bopis, f"bopis pickup accept {order[:3]}")
    stores = completed(bopis, f"bopis board {shop}")
    nowhere = completed(bopis, "bopis board S", data_dir="no-such-directory")

    assert order in orders
    assert shop in stores
    assert nowhere == []


def completed(bopis: Installation, words: str, data_dir: str = "") -> list[str]:
    """What bash is offered for the last word of a line."""
    environment = clean_environment(
        _BOPIS_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
        BOPIS_DATA_DIR=data_dir or str(bopis.home),
    )
    program = [sys.executable, "-c", "import cli; cli.app(prog_name='bopis')"]
    answer = subprocess.run(program, env=environment, cwd=Path(cli.__file__).parent, capture_output=True, text=True)
    assert answer.stderr == ""
    return answer.stdout.split()


def test_one_key_takes_one_order(bopis: Installation, shop: str) -> None:
    words = ("order", "place", shop, f"{shop}-BAN=1", "--key", f"key-{shop}")

    first, again = bopis.ask(*words), bopis.ask(*words)
    other = bopis("order", "place", shop, f"{shop}-BAN=2", "--key", f"key-{shop}")

    assert (first["again"], again["again"]) == (False, True)
    assert first["order"] == again["order"]
    assert (other.code, "Take a new key" in other.err) == (4, True)


def test_the_promise_and_the_whole_story_are_told(bopis: Installation, shop: str) -> None:
    told = bopis("order", "place", shop, f"{shop}-BAN=2", "--name", "Canary Bird", "--wait", BOPIS_ACTOR="kim")
    order = told.out.split()[0]

    story = bopis.ask("order", "why", order)
    shown = bopis("order", "show", order)
    listed = bopis.ask("order", "list", "--store", shop)

    assert f"{order}  promised in store {shop}" in told.out
    assert story["timeline"][0]["actor"] == "kim"
    assert [it["answer"]["outcome"] for it in story["decisions"]] == ["routed"]
    assert "name: C… B…" in shown.out
    assert "Canary" not in shown.out + shown.err
    assert [it["shown"] for it in listed["orders"]] == [order]
    assert bopis.ask("order", "show", order, "--customer")["customer"]["name"] == "Canary Bird"


def test_what_is_misheard_unclear_or_unknown_is_told_apart(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1")
    swapped = order[1] + order[0] + order[2:]

    misread, unknown = bopis("order", "show", swapped), bopis("order", "show", "ZZ")
    store, sku = bopis("order", "place", "nowhere", "X=1"), bopis("order", "place", shop, "no-such-sku=1")

    assert misread.code == (5 if order[0] != order[1] else 0)
    assert (unknown.code, store.code, sku.code) == (3, 3, 3)
    assert "bopis order list" in unknown.err
    assert "bopis catalogue list" in sku.err


def test_rows_of_a_catalogue_that_are_not_sound_are_named_by_line(bopis: Installation, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "sku,name,gtins,components\nX1,One,4006381333932,\n,Nameless,,\nX2,Two,,X2\nX3,Three,96385074,\nX3,Again,,\n"
    )

    refused = bopis("catalogue", "import", str(file), "--json")

    assert refused.code == 5
    for line, words in ((2, "no GTIN"), (3, "sku is empty"), (4, "component of itself"), (6, "twice")):
        assert f"{file}:{line}:" in refused.err
        assert words in refused.err
    assert bopis("catalogue", "show", "X3").code == 3


def test_a_kit_is_found_and_shown_by_its_scarcest_component(bopis: Installation, shop: str) -> None:
    shown = bopis.ask("stock", "show", shop, f"{shop}-SET")
    found = bopis.ask("stock", "find", f"{shop}-SET", "--minimum", "5")
    none = bopis.ask("stock", "find", f"{shop}-SET", "--minimum", "6")

    assert shown["kits"][0]["atp"] == 5
    assert [(it["store"], it["atp"]) for it in found["stores"]] == [(shop, 5)]
    assert none["stores"] == []


def test_a_board_fills_a_terminal_and_leaves_it_clean(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1")
    screen, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    words = [sys.executable, "-m", "cli", "board", shop, "--data-dir", str(bopis.home)]
    environment = clean_environment(TERM="xterm-256color")
    process = subprocess.Popen(
        words, stdin=child, stdout=child, stderr=child, env=environment, cwd=Path(cli.__file__).parent
    )
    os.close(child)

    try:
        drawn = drawn_until(screen, order)
        process.send_signal(signal.SIGINT)
        drawn += drawn_until(screen, LEFT)
        code = process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()

    assert code == 0
    assert drawn.index("\x1b[?1049h") < drawn.index(order) < drawn.index(LEFT)
    os.close(screen)


def drawn_until(screen: int, text: str) -> str:
    """What a program draws, up to a text."""
    drawn = ""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while text not in drawn:
        assert time.monotonic() < give_up, drawn
        if select.select([screen], [], [], 0.5)[0]:
            drawn += os.read(screen, 65_536).decode(errors="replace")
    return drawn
