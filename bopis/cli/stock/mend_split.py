"""`bopis stock mend-split`: one set of books again for a store that has rows in a partition it does not belong in."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, author, open_context
from bopis.cli.app.errors import Conflict, NotSeenInTime
from bopis.cli.app.render import counted, print_line
from bopis.names import DEAD_LETTER_MARKS_TOPIC, DEAD_LETTERS_TOPIC, LEVELS_TOPIC, STOCK_TOPIC
from bopis.ports import RecordMetadata
from bopis.services.progress import decided_positions
from bopis.services.split_books import SplitBooks, mend, split_books

POLL_SECONDS = 0.1


def mend_split(
    context: typer.Context,
    store: StoreId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Join the books of a store that an earlier version split over partitions.

    Its messages in wrong partitions are published where they belong, each once, and its rows there are dropped; an
    event of the inventory records which. Stop or correct the client first: `bopis verify` names it.

    Examples:
        bopis stock mend-split 319
        bopis stock mend-split 319 --yes
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader:
        ctx.require_topics(reader, STOCK_TOPIC, LEVELS_TOPIC, DEAD_LETTERS_TOPIC)
        found = [it for it in split_books(reader) if it.store == store]
        for split in found:
            ctx.note(_describe(split))
        ctx.confirm(f"join the books of store {store}", "not mended", yes)
        ctx.ensure_topic(DEAD_LETTER_MARKS_TOPIC)
        with ctx.publisher() as publisher:
            mended = mend(reader, publisher, store, author(ctx), ctx.settings.topic_prefix)
    _wait_until_decided(ctx, mended.placed)
    _check_mended(ctx, store)
    document: dict[str, Any] = {
        "store": store,
        "published": mended.published,
        "repeats": mended.repeats,
        "rows_dropped": mended.dropped,
    }

    def render(out: Console) -> None:
        print_line(
            out,
            f"Mended store {store}: {counted(mended.published, 'message')} published in its partition, "
            f"{mended.repeats} were there before, {counted(mended.dropped, 'row')} dropped elsewhere",
        )
        if mended.dropped:
            ctx.note("next: bopis readside rebuild (the history of the store still shows both books), bopis verify")

    ctx.print_result(document, render)


def _check_mended(ctx: CommandContext, store: str) -> None:
    """Raise `Conflict` if rows are left in a wrong partition: then the command that drops them was parked."""
    with ctx.reader() as reader:
        left = sum(len(it.rows) for it in split_books(reader) if it.store == store)
    if left:
        raise Conflict(
            cause=f"{counted(left, 'row')} of store {store} are still in a wrong partition. `bopis dead-letters list` "
            "names the cause"
        )


def _describe(split: SplitBooks) -> str:
    levels = [f"{it.key.split('|', 1)[1]} {it.on_hand} on hand" for it in split.rows if it.on_hand is not None]
    shown = ", ".join(levels[:5]) + (", ..." if len(levels) > 5 else "")
    return (
        f"Store {split.store} belongs in partition {split.home}; partition {split.partition} has "
        f"{counted(len(split.rows), 'row')} of it" + (f": {shown}" if shown else "")
    )


def _wait_until_decided(ctx: CommandContext, placed: tuple[RecordMetadata, ...]) -> None:
    """Wait until the inventory has decided every record. Raises `NotSeenInTime`."""
    wanted = {it.partition: it.offset for it in placed}
    patience = ctx.settings.read_wait_seconds
    give_up = time.monotonic() + patience
    with ctx.reader() as reader:
        while True:
            decided = decided_positions(reader)
            missing = [part for part, offset in wanted.items() if decided.get(part, -1) < offset]
            if not missing:
                return
            if time.monotonic() > give_up:
                raise NotSeenInTime(where=f"{STOCK_TOPIC}/{missing[0]}/{wanted[missing[0]]}", seconds=patience)
            time.sleep(POLL_SECONDS)
