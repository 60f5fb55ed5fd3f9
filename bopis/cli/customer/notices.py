"""Notices to customers: their deliveries, another copy of one, and a preview."""

from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bopis.adapters.notices.brand import brand_of
from bopis.adapters.notices.example import example_words
from bopis.adapters.notices.rendering import TemplateRenderer
from bopis.cli.app.context import AsJson, CommandContext, author, open_context
from bopis.cli.app.readside import zones_of
from bopis.cli.app.render import iso, print_line, table
from bopis.cli.order.lookup import OrderNumber, find_order, open_book
from bopis.domain.notices.messages import DeliveryRef, ResendNotice
from bopis.domain.notices.vocabulary import Channel, DeliveryState, Milestone
from bopis.domain.orders.numbers import shown
from bopis.domain.values import epoch_ms
from bopis.readside.queries import newest_notices, order_notices
from bopis.readside.queries.order_answers import NoticeAnswer
from bopis.services.channels import NOTICE_REQUESTS
from bopis.services.counter.store_times import StoreTimes
from bopis.services.exchange import Exchange
from bopis.services.notifier.errors import NoNotices
from bopis.services.notifier.resend import due_deliveries

STYLES = {"sent": "green", "failed": "bold red", "unknown": "yellow", "no_address": "yellow", "waiting": "yellow"}

Notice = Annotated[Milestone, typer.Argument(metavar="MILESTONE", help=f"Kind of the notice: {', '.join(Milestone)}.")]


def list_(
    context: typer.Context,
    state: Annotated[
        DeliveryState | None,
        typer.Option(metavar="STATE", help=f"Only deliveries in this state: {', '.join(DeliveryState)}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List notices to customers, the newest first, with the state of their delivery and its cause.

    Examples:
        bopis notices list
        bopis notices list --state failed --limit 10
    """
    ctx = open_context(context, as_json)
    ctx.warn_if_idle()
    with ctx.engine() as engine:
        found = [_row(notice) for notice in newest_notices(engine, state, limit + 1)]
        zones = zones_of(engine)
    rows, more = found[:limit], len(found) > limit

    def render(out: Console) -> None:
        _render(out, rows, zones)
        if more:
            ctx.note("... and more: give --limit or --state.")

    ctx.print_result({"notices": rows, "more": more}, render)


def show(context: typer.Context, order: OrderNumber, as_json: AsJson = False) -> None:
    """Show every notice to the customer of an order: channel, state, attempts, cause.

    Examples:
        bopis notices show N6PV
        bopis notices show N6PV --json
    """
    ctx = open_context(context, as_json)
    number = _number(ctx, order)
    with ctx.engine() as engine:
        rows = [_row(notice) for notice in order_notices(engine, number)]
        zones = zones_of(engine)
    if not rows:
        raise NoNotices(order=number)
    ctx.print_result({"order": number, "notices": rows}, lambda out: _render(out, rows, zones))


def resend(
    context: typer.Context,
    order: OrderNumber,
    milestone: Notice,
    version: Annotated[int, typer.Option(min=0, help="Version of the notice; 0 is the newest.")] = 0,
    channel: Annotated[Channel | None, typer.Option(help="Only over this channel.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send another copy of a notice, at once, also in quiet hours.

    A notice that is no longer true is not sent: never "ready" after the order has ended.

    Examples:
        bopis notices resend N6PV ready
        bopis notices resend N6PV ready --channel sms
    """
    ctx = open_context(context, as_json)
    body = ResendNotice(milestone=milestone, version=version, channel=channel)
    number = _number(ctx, order)
    with ctx.reader() as reader, ctx.publisher() as publisher:
        exchange = Exchange(NOTICE_REQUESTS, publisher, reader, ctx.settings.topic_prefix)
        message = exchange.compose(author(ctx), number, body)
        reply = exchange.request(message, ctx.settings.read_wait_seconds)
    keys = [due.delivery.key(number) for due in due_deliveries(reply)]
    text = "\n".join(f"{key} is due" for key in keys)
    ctx.print_result({"order": number, "deliveries": keys}, lambda out: print_line(out, text))


def preview(
    context: typer.Context,
    milestone: Notice,
    language: Annotated[str, typer.Option(metavar="LANGUAGE", help="Language of the customer.")] = "en",
    html: Annotated[bool, typer.Option("--html", help="The HTML of the mail instead of its text.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a notice of an invented order, with the templates that are set. Nothing is sent.

    Examples:
        bopis notices preview ready --language de
        bopis notices preview ready --html -o ready.html
    """
    ctx = open_context(context, as_json)
    settings = ctx.settings
    brand = brand_of(settings)
    renderer = TemplateRenderer(settings.notice_templates, settings.notice_language, brand)
    words = example_words(renderer, brand, milestone, language)
    text = words.html if html else f"{words.subject}\n\n{words.text}\n\n{words.short}\n"
    if output is not None:
        output.write_text(text, encoding="utf-8")
    document = {"subject": words.subject, "text": words.text, "short": words.short, "html": words.html}
    ctx.print_result(document, lambda out: print_line(out, f"written to {output}" if output is not None else text))


def _number(ctx: CommandContext, text: str) -> str:
    with open_book(ctx) as (_, book):
        return find_order(book, text).order


def _row(notice: NoticeAnswer) -> dict[str, Any]:
    delivery = DeliveryRef(
        milestone=Milestone(notice.milestone),
        version=notice.version,
        channel=Channel(notice.channel),
        copy=notice.copy,
    )
    due_ms, changed_ms = (0 if at is None else epoch_ms(at) for at in (notice.due_at, notice.changed_at))
    return {
        "order": notice.order,
        "shown": shown(notice.order),
        "store": notice.store,
        "key": delivery.key(notice.order),
        "milestone": notice.milestone,
        "version": notice.version,
        "copy": notice.copy,
        "channel": notice.channel,
        "state": notice.state,
        "attempts": notice.attempt,
        "cause": notice.cause,
        "provider_id": notice.provider_id,
        "again_at": iso(due_ms) if notice.state == "waiting" else None,
        "again_ms": due_ms if notice.state == "waiting" else 0,
        "changed_at": iso(changed_ms),
        "changed_ms": changed_ms,
    }


def _render(out: Console, rows: list[dict[str, Any]], zones: dict[str, tzinfo]) -> None:
    if not rows:
        out.print("No notices.")
        return
    stores = [row["store"] for row in rows]
    times = StoreTimes(zones, stores[0], stores)
    grid = table("order", "notice", "channel", "state", "attempts", "when", "cause")
    for row in rows:
        copy = f" (copy {row['copy']})" if row["copy"] > 1 else ""
        again = times.instant(row["again_ms"], row["store"])
        cause = row["cause"] + (f"; next attempt {again}" if row["again_ms"] else "")
        grid.add_row(
            row["shown"],
            f"{row['milestone'].replace('_', ' ')} {row['version']}{copy}",
            row["channel"],
            Text(row["state"].replace("_", " "), style=STYLES.get(row["state"], "")),
            str(row["attempts"]),
            times.instant(row["changed_ms"], row["store"]),
            Text(cause),
        )
    out.print(grid)
