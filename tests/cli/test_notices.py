"""Notices at the keyboard, on a running installation: what was sent, said again, refused, and how it looks."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Installation, run

PATIENCE_S = 240.0


def told(bopis: Installation, order: str, enough: Any) -> list[dict[str, Any]]:
    """The notices of an order, as soon as they are enough."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = bopis("notices", "show", order, "--json")
        if answer.code == 0 and enough(answer.document["notices"]):
            found: list[dict[str, Any]] = answer.document["notices"]
            return found
        time.sleep(0.2)
    raise AssertionError(answer.out + answer.err)


def test_a_customer_is_told_of_an_order_and_once_more_when_asked(
    bopis: Installation, store: str, tmp_path: Path
) -> None:
    sku, file = f"{store}-BAN", tmp_path / "catalogue.ndjson"
    file.write_text(json.dumps({"sku": sku, "name": "Bananas"}))
    bopis.ask("catalogue", "import", str(file))
    bopis.ask("stock", "receive", store, f"{sku}=5")
    wish = ("order", "place", store, f"{sku}=1", "--name", "Anna", "--email", "anna@example.org", "--wait")
    order = bopis.ask(*wish)["order"]

    first = told(bopis, order, lambda found: [it["state"] for it in found] == ["sent"])
    again = bopis("notices", "resend", order, "placed", "--json")
    both = told(bopis, order, lambda found: [it["state"] for it in found] == ["sent", "sent"])
    listed = bopis("notices", "list", "--state", "sent", "--json").document["notices"]

    assert (first[0]["milestone"], first[0]["channel"]) == ("placed", "email")
    assert again.document["deliveries"] == [f"{order}/placed/1.2/email"]
    assert [it["copy"] for it in both] == [1, 2]
    assert {it["key"] for it in both} <= {it["key"] for it in listed}
    outbox = sorted(it.name for it in (bopis.home / "outbox").rglob(f"{order}*"))
    assert outbox == [f"{order}-placed-1-email.eml", f"{order}-placed-1.2-email.eml"]
    assert "anna@example.org" not in bopis.err.read_text()
    refused = bopis("notices", "resend", order, "expired")
    assert refused.code == 4
    assert "the customer never got this notice" in refused.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("notices", "show", "00000000"), 3),
        (("notices", "show", "nonsense"), 5),
        (("notices", "resend", "00000000", "ready"), 3),
        (("notices", "resend", "00000000", "nonsense"), 2),
        (("notices", "list", "--state", "nonsense"), 2),
    ],
    ids=lambda it: "-".join(it) if isinstance(it, tuple) else str(it),
)
def test_what_cannot_be_is_told_with_its_exit_code(words: tuple[str, ...], code: int, bopis: Installation) -> None:
    answer = bopis(*words)

    assert answer.code == code
    assert answer.err.startswith("Error: ")


def test_a_preview_shows_words_and_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"

    shown = run("notices", "preview", "ready", "--language", "de")
    written = run("notices", "preview", "ready", "--html", "--output", str(page))

    assert "Abholcode: 274 051" in shown.out
    assert written.code == 0
    assert 'src="data:image/png;base64,' in page.read_text()
