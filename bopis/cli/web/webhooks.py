"""Webhooks of shop fronts and other programs: list, show, test, deliveries, resend, pause, resume, delete."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.adapters.webhooks.table import DeliveryPage, WebhookTable, webhooks_url
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.errors import Conflict, NotFound, TryAgain
from bopis.cli.app.render import iso, plain, print_line, table
from bopis.cli.web.access import now_ms
from bopis.webhooks.records import (
    EventDelivery,
    EventDeliveryState,
    EventSubscription,
    SubscriptionState,
    delivery_of_test,
    resumed,
)

# A test waits for its first attempt: as long as a receiver may take, and the worker until it looks.
TEST_S_MAX = 20.0
TEST_POLL_S = 0.2

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id, as `bopis webhooks list` shows it.")]


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List webhooks, the oldest first: where events are posted, and whether that works.

    Programs make them with POST /v1/webhooks.

    Examples:
        bopis webhooks list
        bopis webhooks list --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        counts = webhooks.counts()
        rows = [_row(it) | _counts(it.id, counts) for it in webhooks.subscriptions()]

    def render(out: Console) -> None:
        if not rows:
            print_line(out, "No webhooks. Programs subscribe with POST /v1/webhooks.")
            return
        grid = table("id", "url", "owner", "state", "types", "pending", "failed", "failing since")
        for row in rows:
            names = row["id"], row["url"], row["owner"], row["state"], str(len(row["types"]))
            grid.add_row(*map(plain, (*names, str(row["pending"]), str(row["failed"]), row["failing_since"] or "")))
        out.print(grid)

    ctx.print_result({"webhooks": rows}, render)


def show(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Show a webhook: URL, types, stores, state and why, and how many deliveries it has.

    Examples:
        bopis webhooks show wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks show wh_5d1c0e9a7b3f2468acdf1357 --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        row = _row(found) | _counts(found.id, webhooks.counts())

    def render(out: Console) -> None:
        for name, value in row.items():
            text = ", ".join(value) if isinstance(value, tuple) else value
            if text not in (None, ""):
                print_line(out, f"{name.replace('_', ' '):<14} {text}")

    ctx.print_result(row, render)


def send_test(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Send an event of the type webhook.test, and wait for the first attempt; exit code 1 if it failed.

    Examples:
        bopis webhooks test wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks test wh_5d1c0e9a7b3f2468acdf1357 --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        if found.state is not SubscriptionState.ACTIVE:
            raise Conflict(
                cause=f"webhook {found.id} is {found.state}; `bopis webhooks resume {found.id}` lets it go on"
            )
        delivery = delivery_of_test(found.id, now_ms())
        webhooks.send(delivery)
        tried = _attempted(webhooks, delivery)
    if tried is None:
        raise TryAgain(what=f"Not attempted yet: {delivery.id}. It is sent once the worker runs: bopis up.")
    text = f"{tried.state}: {tried.error or f'the receiver answered {tried.status_code}'} ({tried.latency_ms} ms)"
    ctx.print_result(_delivery_row(tried), lambda out: print_line(out, f"{tried.id} {text}"))
    if tried.state is not EventDeliveryState.DELIVERED:
        raise typer.Exit(1)


def deliveries(
    context: typer.Context,
    webhook: WebhookId,
    state: Annotated[
        EventDeliveryState | None,
        typer.Option(metavar="STATE", help=f"Only those in this state: {', '.join(EventDeliveryState)}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries of a webhook, the newest first, with the last attempt and the next one.

    Examples:
        bopis webhooks deliveries wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks deliveries wh_5d1c0e9a7b3f2468acdf1357 --state failed
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = webhooks.deliveries(DeliveryPage(_find(webhooks, webhook).id, limit + 1, state))
    rows, more = [_delivery_row(it) for it in found[:limit]], len(found) > limit

    def render(out: Console) -> None:
        grid = table("id", "type", "recorded", "state", "attempts", "status", "error", "next attempt")
        for row in rows:
            tried = str(row["attempts"]), str(row["status_code"] or ""), row["error"], row["next_attempt"] or ""
            grid.add_row(*map(plain, (row["id"], row["type"], row["recorded"] or "", row["state"], *tried)))
        out.print(grid)
        if more:
            ctx.note("... and more: give --limit or --state.")

    ctx.print_result({"webhook": webhook, "deliveries": rows, "more": more}, render)


def resend(
    context: typer.Context,
    webhook: WebhookId,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id, as `bopis webhooks deliveries` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Send a delivery once more, at once and then by the whole schedule. Its id stays the same.

    Examples:
        bopis webhooks resend wh_5d1c0e9a7b3f2468acdf1357 msg_0f3a
        bopis webhooks resend wh_5d1c0e9a7b3f2468acdf1357 msg_0f3a --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        if found.state is SubscriptionState.DISABLED:
            raise Conflict(cause=f"webhook {found.id} is disabled ({found.reason}); resume it first")
        row = webhooks.delivery(found.id, delivery)
        if row is None:
            raise NotFound(what=f"delivery {delivery!r}; `bopis webhooks deliveries {found.id}` lists them")
        again = webhooks.resend(row, now_ms())
    ctx.print_result(_delivery_row(again), lambda out: print_line(out, f"{again.id} is sent again."))


def pause(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Stop sending to a webhook. Its events wait until it is resumed.

    Examples:
        bopis webhooks pause wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks pause wh_5d1c0e9a7b3f2468acdf1357 --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        if found.state is not SubscriptionState.ACTIVE:
            raise Conflict(cause=f"webhook {found.id} is {found.state} already")
        changed = msgspec.structs.replace(found, state=SubscriptionState.PAUSED)
        webhooks.change(changed, "state")
    ctx.print_result(_row(changed), lambda out: print_line(out, f"{changed.id} is paused; its events wait."))


def resume(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Let a webhook go on that was paused, or disabled by its receiver or its failures.

    Examples:
        bopis webhooks resume wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks resume wh_5d1c0e9a7b3f2468acdf1357 --json
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        if found.state is SubscriptionState.ACTIVE:
            raise Conflict(cause=f"webhook {found.id} is active already")
        changed = resumed(found, found, now_ms())
        webhooks.change(changed, "state", "reason", "failing_since_ms", "since_ms")
    ctx.print_result(_row(changed), lambda out: print_line(out, f"{changed.id} goes on."))


def delete(context: typer.Context, webhook: WebhookId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a webhook with its deliveries, also those that wait.

    Examples:
        bopis webhooks delete wh_5d1c0e9a7b3f2468acdf1357
        bopis webhooks delete wh_5d1c0e9a7b3f2468acdf1357 --yes
    """
    ctx = open_context(context, as_json)
    with webhook_table(ctx) as webhooks:
        found = _find(webhooks, webhook)
        ctx.confirm(f"delete webhook {found.id} ({found.url}) of {found.owner}", "not deleted", yes)
        webhooks.delete(found.id)
    ctx.print_result({"id": found.id, "deleted": True}, lambda out: print_line(out, f"{found.id} is deleted."))


@contextmanager
def webhook_table(ctx: CommandContext) -> Iterator[WebhookTable]:
    """Open the table of webhooks. Raises `WebhooksUnavailable`."""
    with closing(WebhookTable(webhooks_url(ctx.settings))) as webhooks:
        yield webhooks


def _find(webhooks: WebhookTable, identity: str) -> EventSubscription:
    found = webhooks.subscription(identity)
    if found is None:
        raise NotFound(what=f"webhook {identity!r}; `bopis webhooks list` lists them")
    return found


def _attempted(webhooks: WebhookTable, delivery: EventDelivery) -> EventDelivery | None:
    """A delivery after its first attempt; None if there is none in time."""
    end = time.monotonic() + TEST_S_MAX
    while time.monotonic() < end:
        found = webhooks.delivery(delivery.subscription, delivery.id)
        if found is not None and found.attempts:
            return found
        time.sleep(TEST_POLL_S)
    return None


def _counts(identity: str, counts: dict[tuple[str, EventDeliveryState], int]) -> dict[str, int]:
    return {it.value: counts.get((identity, it), 0) for it in EventDeliveryState}


def _row(it: EventSubscription) -> dict[str, Any]:
    return {
        "id": it.id,
        "url": it.url,
        "owner": it.owner,
        "description": it.description,
        "types": it.types,
        "stores": it.stores,
        "state": it.state,
        "reason": it.reason,
        "created": iso(it.created_ms),
        "failing_since": iso(it.failing_since_ms),
        "old_secret_until": iso(it.old_secret_until_ms),
    }


def _delivery_row(it: EventDelivery) -> dict[str, Any]:
    return {
        "id": it.id,
        "type": it.type,
        "subject": it.subject,
        "recorded": iso(it.recorded_ms),
        "state": it.state,
        "attempts": it.attempts,
        "attempted": iso(it.attempted_ms),
        "next_attempt": iso(it.next_ms),
        "status_code": it.status_code or None,
        "latency_ms": it.latency_ms if it.attempts else None,
        "error": it.error,
    }
