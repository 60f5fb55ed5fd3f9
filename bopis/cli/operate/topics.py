"""Topics of the log: list them, describe one, show its newest records."""

import difflib
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.adapters.log import LogReader
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import TopicUnknown
from bopis.cli.app.interrupts import interruptible
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import instant, iso, print_line, table
from bopis.ports import Record

TAIL_RECORDS = 10
SHOWN_SETTINGS = ("cleanup.policy", "message.timestamp.type", "max.message.bytes", "retention.ms", "retention.bytes")
BODY_CHARACTERS = 160
TopicName = Annotated[str, typer.Argument(metavar="TOPIC", help="Name of the topic, with or without the prefix.")]


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the topics of this installation with their partitions and number of records.

    Examples:
        bopis topics list
        bopis topics list --json
    """
    ctx = open_context(context, as_json)
    with ctx.admin() as admin, ctx.reader() as reader:
        topics = admin.topics()
        names = [topic.name for topic in topics]
        settings = admin.settings(names) if names else {}
        first, end = reader.start_offsets(names), reader.end_offsets(names)
    rows = []
    for topic in topics:
        values = {setting.name: setting.value for setting in settings.get(topic.name, [])}
        records = sum(offset - first.get(where, 0) for where, offset in end.items() if where[0] == topic.name)
        cleanup = values.get("cleanup.policy", "")
        rows.append({"topic": topic.name, "partitions": topic.partitions, "records": records, "cleanup": cleanup})

    def render(out: Console) -> None:
        grid = table("topic", "partitions", "records up to", "cleanup")
        for row in rows:
            grid.add_row(*(str(row[name]) for name in ("topic", "partitions", "records", "cleanup")))
        out.print(grid)
        if not rows:
            ctx.note(f"No topic begins with {ctx.settings.topic_prefix!r}. `bopis up` creates them.")

    ctx.print_result({"prefix": ctx.settings.topic_prefix, "topics": rows}, render)


def describe(context: typer.Context, topic: TopicName, as_json: AsJson = False) -> None:
    """Show a topic's settings and the first and next offset of each partition.

    Examples:
        bopis topics describe stock
        bopis topics describe bopis.stock --json
    """
    ctx = open_context(context, as_json)
    with ctx.admin() as admin, ctx.reader() as reader:
        name = _known(ctx, reader, topic)
        settings = admin.settings([name])[name]
        first, end = reader.start_offsets([name]), reader.end_offsets([name])
    partitions = [{"partition": where[1], "first": first[where], "next": end[where]} for where in sorted(end)]
    document = {
        "topic": name,
        "full_name": ctx.settings.topic_prefix + name,
        "partitions": partitions,
        "settings": {setting.name: setting.value for setting in settings},
    }

    def render(out: Console) -> None:
        print_line(out, str(document["full_name"]))
        values = table("setting", "value", "set here")
        for setting in settings:
            if setting.own or setting.name in SHOWN_SETTINGS:
                values.add_row(setting.name, setting.value, "yes" if setting.own else "")
        out.print(values)
        grid = table("partition", "first offset", "next offset")
        for row in partitions:
            grid.add_row(str(row["partition"]), str(row["first"]), str(row["next"]))
        out.print(grid)

    ctx.print_result(document, render)


def tail(
    context: typer.Context,
    topic: TopicName,
    records: Annotated[int, typer.Option("--records", "-n", min=0, help="Number of records.")] = TAIL_RECORDS,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on, for example 14:00 or 10m (ago).")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only records of this key, for example a store.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Also show new records as they arrive, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest records of a topic; with --follow and --json, one JSON document per line.

    Examples:
        bopis topics tail stock --key 319
        bopis topics tail order-events --since 10m --follow
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader:
        name = _known(ctx, reader, topic)
        end = reader.end_offsets([name])
        first = reader.start_offsets([name])
        if since is not None:
            first |= reader.offsets_at([name], read_time(since).at_ms)
        elif key is None:
            first = {where: max(first[where], end[where] - records) for where in end}
        matching = (record for record in reader.read(first, end) if key is None or record.key == key.encode())
        newest = sorted(matching, key=lambda record: (record.timestamp_ms, record.partition, record.offset))
        newest = newest if since is not None else newest[len(newest) - min(records, len(newest)) :]
        if follow:
            _follow(ctx, reader, newest, end, key)
            return

    def render(out: Console) -> None:
        for record in newest:
            _line(out, record)

    ctx.print_result({"topic": name, "records": [record_row(record) for record in newest]}, render)


def record_row(record: Record) -> dict[str, Any]:
    """A record for JSON; a value that is JSON stays JSON."""
    value: Any = None
    if record.value is not None:
        try:
            value = msgspec.json.decode(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = record.value.decode(errors="backslashreplace")
    return {
        "partition": record.partition,
        "offset": record.offset,
        "time": iso(record.timestamp_ms),
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
        "value": value,
        "headers": {name: header.decode(errors="backslashreplace") for name, header in record.headers},
    }


def _follow(
    ctx: CommandContext, reader: LogReader, newest: list[Record], end: dict[tuple[str, int], int], key: str | None
) -> None:
    def show(record: Record) -> None:
        ctx.print_result(record_row(record), lambda out: _line(out, record))
        ctx.out.file.flush()

    for record in newest:
        show(record)
    with interruptible():
        for record in reader.follow(end):
            if key is None or record.key == key.encode():
                show(record)


def _line(out: Console, record: Record) -> None:
    key = (record.key or b"").decode(errors="backslashreplace").replace("\x00", "\\0")
    body = "(tombstone)" if record.value is None else record.value.decode(errors="backslashreplace")
    room = BODY_CHARACTERS if not out.is_terminal else max(20, out.width - 50)
    body = body if len(body) <= room else body[: room - 1] + "…"
    text = f"{instant(record.timestamp_ms)}  {record.partition}/{record.offset}  {key}  {body}"
    print_line(out, text)


def _known(ctx: CommandContext, reader: LogReader, topic: str) -> str:
    name = topic.removeprefix(ctx.settings.topic_prefix)
    if reader.end_offsets([name]):
        return name
    with ctx.admin() as admin:
        similar = difflib.get_close_matches(name, [it.name for it in admin.topics()], 1)
    raise TopicUnknown(topic=topic, hint=f"; did you mean {similar[0]!r}" if similar else "")
