"""Notices: what customers were told, what failed and why, to say it again, and how it looks."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import NotFound, Usage
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.domain.notices.state import OrderNotices

app = typer.Typer(help="What customers were told, what failed and why.", no_args_is_help=True)

MILESTONES = (
    "placed, promise_changed, ready, reminder, arrival, substitute_offered, alternative_offered, waiting, cancelled, "
    "expired, not_ready, code_reissued"
)
STATES = "due, waiting, sent, unknown, failed, withdrawn, erased, no_address"
STYLES = {"sent": "green", "failed": "bold red", "unknown": "yellow", "no_address": "yellow", "waiting": "yellow"}
CHANNELS = "email, sms, webhook, console, chat"
EXAMPLE_ORDER = "4K7P92QX"

Order = Annotated[str, typer.Argument(help="Order number.")]
Milestone = Annotated[str, typer.Argument(help=f"One of {MILESTONES}.")]


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option("--state", help=f"Only deliveries that are: {STATES}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what customers were told, the newest first: sent, failed, unknown, and why."""
    from bopis.domain.notices.terms import DeliveryState
    from bopis.services.notifier.book import read_notices

    shell = open_shell(context, as_json)
    wanted = None if state is None else _one_of(DeliveryState, state, "state", STATES)
    with shell.reader() as reader:
        found = [row for it in read_notices(reader).values() for row in _rows(it)]
    rows = sorted((it for it in found if wanted is None or it["state"] == wanted), key=lambda it: -it["changed_ms"])
    shell.answer({"notices": rows[:limit], "more": max(0, len(rows) - limit)}, lambda out: _render(out, rows[:limit]))


@app.command()
def show(context: typer.Context, order: Order, as_json: AsJson = False) -> None:
    """Show everything that the customer of an order was told, over which channel, and what became of it."""
    from bopis.services.notifier.book import notices_of

    shell = open_shell(context, as_json)
    number = _number(order)
    with shell.reader() as reader:
        rows = _rows(notices_of(reader, number))
    shell.answer({"order": number, "notices": rows}, lambda out: _render(out, rows))


@app.command()
def resend(
    context: typer.Context,
    order: Order,
    milestone: Milestone,
    version: Annotated[int, typer.Option(min=0, help="Which version of it; 0 is the newest.")] = 0,
    channel: Annotated[str | None, typer.Option(help=f"Over this channel alone: {CHANNELS}.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say something once more: a copy of its own, sent at once, also in quiet hours.

    What is no longer true is not sent: never "ready" after the order has ended.
    """
    from bopis.domain.notices.events import DeliveryDue
    from bopis.domain.notices.messages import ResendNotice
    from bopis.domain.notices.terms import Channel
    from bopis.domain.notices.terms import Milestone as Milestones
    from bopis.services.notifier.book import Again, Person

    shell = open_shell(context, as_json)
    number = _number(order)
    way = None if channel is None else Channel(_one_of(Channel, channel, "channel", CHANNELS))
    said = ResendNotice(
        milestone=Milestones(_one_of(Milestones, milestone, "milestone", MILESTONES)), version=version, channel=way
    )
    person = Person(shell.source, shell.actor, lambda: datetime.now(UTC), lambda: str(uuid.uuid4()))
    with shell.reader() as reader, shell.publisher() as publisher:
        events = Again(publisher, reader, person, shell.settings.read_wait_seconds).resend(number, said)
    keys = [it.delivery.key(number) for it in events if isinstance(it, DeliveryDue)]
    shell.answer({"order": number, "deliveries": keys}, lambda out: out.print("\n".join(f"{it} is due" for it in keys)))


@app.command()
def preview(
    context: typer.Context,
    milestone: Milestone,
    language: Annotated[str, typer.Option(help="Language of the customer.")] = "en",
    html: Annotated[bool, typer.Option("--html", help="The HTML of the mail instead of its text.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how a notice looks, with an invented order, by the templates that are set. Nothing is sent."""
    from bopis.adapters.notices.example import example_words
    from bopis.domain.notices.terms import Milestone as Milestones

    shell = open_shell(context, as_json)
    wanted = Milestones(_one_of(Milestones, milestone, "milestone", MILESTONES))
    settings = shell.settings
    words = example_words(settings.notice_templates, settings.notice_language, wanted, language)
    text = words.html if html else f"{words.subject}\n\n{words.text}\n\n{words.short}\n"
    if output is not None:
        output.write_text(text, encoding="utf-8")
    document = {"subject": words.subject, "text": words.text, "short": words.short, "html": words.html}

    def render(out: "Console") -> None:
        out.print(f"written to {output}" if output is not None else text, markup=False, highlight=False, soft_wrap=True)

    shell.answer(document, render)


def _number(text: str) -> str:
    from bopis.domain.orders.numbers import parse

    number = parse(text)
    if number is None:
        raise NotFound(what=f"no order number reads {text!r}; it has eight characters, the last one a check")
    return number


def _one_of(kind: Any, text: str, what: str, known: str) -> str:
    if text not in {it.value for it in kind}:
        raise Usage(problem=f"No {what} {text!r}. There are: {known}.")
    return text


def _rows(found: "OrderNotices") -> list[dict[str, Any]]:
    from bopis.commands.tables import iso
    from bopis.domain.orders.numbers import shown

    return [
        {
            "order": found.order,
            "shown": shown(found.order),
            "key": notice.ref(it.channel).key(found.order),
            "milestone": notice.notice.milestone.value,
            "version": notice.notice.version,
            "copy": notice.copy,
            "channel": it.channel.value,
            "state": it.state.value,
            "attempts": it.attempt,
            "cause": it.cause,
            "provider_id": it.provider_id,
            "again_at": iso(it.due_ms) if it.state.value == "waiting" else None,
            "changed_at": iso(it.changed_ms),
            "changed_ms": it.changed_ms,
        }
        for notice in found.notices
        for it in notice.deliveries
    ]


def _render(out: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from bopis.commands.tables import instant, table

    if not rows:
        out.print("No notices.")
        return
    grid = table("order", "notice", "channel", "state", "tries", "when", "why")
    for it in rows:
        copy = f" (copy {it['copy']})" if it["copy"] > 1 else ""
        why = it["cause"] + (f"; again at {it['again_at']}" if it["again_at"] else "")
        grid.add_row(
            it["shown"],
            f"{it['milestone']} {it['version']}{copy}",
            it["channel"],
            Text(it["state"], style=STYLES.get(it["state"], "")),
            str(it["attempts"]),
            instant(it["changed_ms"]),
            Text(why),
        )
    out.print(grid)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="notices")
