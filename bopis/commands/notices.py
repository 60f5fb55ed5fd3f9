"""Notices: what customers were told, what failed and why, to say it again, and how it looks."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import ORDER
from bopis.commands.errors import Usage
from bopis.commands.order_access import meant, open_book
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.readside.queries.order_answers import NoticeAnswer

app = typer.Typer(help="What customers were told, what failed and why.", no_args_is_help=True)

MILESTONES = (
    "placed, promise_changed, ready, reminder, arrival, substitute_offered, alternative_offered, waiting, cancelled, "
    "expired, refunded, not_ready, code_reissued"
)
STATES = "due, waiting, sent, unknown, failed, withdrawn, erased, no_address"
STYLES = {"sent": "green", "failed": "bold red", "unknown": "yellow", "no_address": "yellow", "waiting": "yellow"}
CHANNELS = "email, sms, webhook, console, chat"

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
    from bopis.readside.queries import newest_notices

    shell = open_shell(context, as_json)
    wanted = None if state is None else _one_of(DeliveryState, state, "state", STATES)
    shell.note_if_idle()
    with shell.engine() as engine:
        found = [_row(it) for it in newest_notices(engine, wanted, limit + 1)]
    rows, more = found[:limit], len(found) > limit

    def render(out: "Console") -> None:
        _render(out, rows)
        if more:
            shell.say("... and more: give --limit or --state.")

    shell.answer({"notices": rows, "more": more}, render)


@app.command()
def show(context: typer.Context, order: ORDER, as_json: AsJson = False) -> None:
    """Show everything that the customer of an order was told, over which channel, and what became of it."""
    from bopis.readside.queries import order_notices
    from bopis.services.notifier.errors import NothingTold

    shell = open_shell(context, as_json)
    number = _number(shell, order)
    with shell.engine() as engine:
        rows = [_row(it) for it in order_notices(engine, number)]
    if not rows:
        raise NothingTold(order=number)
    shell.answer({"order": number, "notices": rows}, lambda out: _render(out, rows))


@app.command()
def resend(
    context: typer.Context,
    order: ORDER,
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
    way = None if channel is None else Channel(_one_of(Channel, channel, "channel", CHANNELS))
    said = ResendNotice(
        milestone=Milestones(_one_of(Milestones, milestone, "milestone", MILESTONES)), version=version, channel=way
    )
    number = _number(shell, order)
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


def _number(shell: Shell, text: str) -> str:
    with open_book(shell) as (_, book):
        return meant(book, text).order


def _one_of(kind: Any, text: str, what: str, known: str) -> str:
    if text not in {it.value for it in kind}:
        raise Usage(problem=f"No {what} {text!r}. There are: {known}.")
    return text


def _row(found: "NoticeAnswer") -> dict[str, Any]:
    from bopis.commands.tables import iso
    from bopis.domain.notices.messages import DeliveryRef
    from bopis.domain.notices.terms import Channel
    from bopis.domain.notices.terms import Milestone as Milestones
    from bopis.domain.orders.numbers import shown
    from bopis.domain.values import epoch_ms

    ref = DeliveryRef(
        milestone=Milestones(found.milestone), version=found.version, channel=Channel(found.channel), copy=found.copy
    )
    due_ms, changed_ms = (0 if it is None else epoch_ms(it) for it in (found.due_at, found.changed_at))
    return {
        "order": found.order,
        "shown": shown(found.order),
        "key": ref.key(found.order),
        "milestone": found.milestone,
        "version": found.version,
        "copy": found.copy,
        "channel": found.channel,
        "state": found.state,
        "attempts": found.attempt,
        "cause": found.cause,
        "provider_id": found.provider_id,
        "again_at": iso(due_ms) if found.state == "waiting" else None,
        "changed_at": iso(changed_ms),
        "changed_ms": changed_ms,
    }


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
