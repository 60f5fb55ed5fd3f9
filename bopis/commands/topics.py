"""What stands in the log: topics, their settings, their newest records."""

import difflib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands import access, topics_create, topics_migrate
from bopis.commands.errors import TopicUnknown
from bopis.commands.interrupts import interruptible
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.adapters.log import LogReader
    from bopis.ports import Record

TAIL_RECORDS = 10
TOLD_SETTINGS = ("cleanup.policy", "message.timestamp.type", "max.message.bytes", "retention.ms", "retention.bytes")
BODY_CHARACTERS = 160
TOPIC = Annotated[str, typer.Argument(help="Name of the topic, with or without the prefix.")]

app = typer.Typer(help="What stands in the log: topics, settings, newest records.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the topics of this installation with their partitions and number of records."""
    shell = open_shell(context, as_json)
    with shell.admin() as admin, shell.reader() as reader:
        topics = admin.topics()
        names = [it.name for it in topics]
        settings = admin.settings(names) if names else {}
        first, end = reader.start_offsets(names), reader.end_offsets(names)
    rows = []
    for it in topics:
        told = {setting.name: setting.value for setting in settings.get(it.name, [])}
        records = sum(offset - first.get(where, 0) for where, offset in end.items() if where[0] == it.name)
        cleanup = told.get("cleanup.policy", "")
        rows.append({"topic": it.name, "partitions": it.partitions, "records": records, "cleanup": cleanup})

    def render(out: "Console") -> None:
        from bopis.commands.tables import table

        grid = table("topic", "partitions", "records up to", "cleanup")
        for row in rows:
            grid.add_row(*(str(row[name]) for name in ("topic", "partitions", "records", "cleanup")))
        out.print(grid)
        if not rows:
            shell.say(f"No topic begins with {shell.settings.topic_prefix!r}. `bopis up` creates them.")

    shell.answer({"prefix": shell.settings.topic_prefix, "topics": rows}, render)


@app.command()
def describe(context: typer.Context, topic: TOPIC, as_json: AsJson = False) -> None:
    """Show a topic's settings and how far each of its partitions reaches."""
    shell = open_shell(context, as_json)
    with shell.admin() as admin, shell.reader() as reader:
        name = _known(shell, reader, topic)
        settings = admin.settings([name])[name]
        first, end = reader.start_offsets([name]), reader.end_offsets([name])
    partitions = [{"partition": where[1], "first": first[where], "next": end[where]} for where in sorted(end)]
    document = {
        "topic": name,
        "full_name": shell.settings.topic_prefix + name,
        "partitions": partitions,
        "settings": {it.name: it.value for it in settings},
    }

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain, table

        out.print(plain(f"{document['full_name']}"))
        told = table("setting", "value", "set here")
        for it in settings:
            if it.own or it.name in TOLD_SETTINGS:
                told.add_row(it.name, it.value, "yes" if it.own else "")
        out.print(told)
        grid = table("partition", "first offset", "next offset")
        for row in partitions:
            grid.add_row(str(row["partition"]), str(row["first"]), str(row["next"]))
        out.print(grid)

    shell.answer(document, render)


@app.command()
def tail(
    context: typer.Context,
    topic: TOPIC,
    records: Annotated[int, typer.Option("--records", "-n", min=0, help="How many of the newest.")] = TAIL_RECORDS,
    since: Annotated[str | None, typer.Option(help="From this time on, for example 14:00 or 10m (ago).")] = None,
    key: Annotated[str | None, typer.Option(help="Only records of this key, for example a store.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records arrive, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest records of a topic; with --follow and --json, one JSON document per line."""
    from bopis.commands.times import read_time

    shell = open_shell(context, as_json)
    with shell.reader() as reader:
        name = _known(shell, reader, topic)
        end = reader.end_offsets([name])
        first = reader.start_offsets([name])
        if since is not None:
            first |= reader.offsets_at([name], read_time(since).at_ms)
        elif key is None:
            first = {where: max(first[where], end[where] - records) for where in end}
        wanted = (it for it in reader.read(first, end) if key is None or it.key == key.encode())
        newest = sorted(wanted, key=lambda it: (it.timestamp_ms, it.partition, it.offset))
        newest = newest if since is not None else newest[len(newest) - min(records, len(newest)) :]
        if follow:
            _follow(shell, reader, newest, end, key)
            return

    def render(out: "Console") -> None:
        for record in newest:
            _line(out, record)

    shell.answer({"topic": name, "records": [told(it) for it in newest]}, render)


def told(record: "Record") -> dict[str, Any]:
    """A record as a document; what is JSON inside stays JSON."""
    import msgspec

    from bopis.commands.tables import iso

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
    shell: Shell, reader: "LogReader", newest: list["Record"], end: dict[tuple[str, int], int], key: str | None
) -> None:
    def show(record: "Record") -> None:
        shell.answer(told(record), lambda out: _line(out, record))
        shell.out.file.flush()

    for record in newest:
        show(record)
    with interruptible():
        for record in reader.follow(end):
            if key is None or record.key == key.encode():
                show(record)


def _line(out: "Console", record: "Record") -> None:
    from bopis.commands.tables import instant

    key = (record.key or b"").decode(errors="backslashreplace").replace("\x00", "\\0")
    body = "(taken out)" if record.value is None else record.value.decode(errors="backslashreplace")
    room = BODY_CHARACTERS if not out.is_terminal else max(20, out.width - 50)
    body = body if len(body) <= room else body[: room - 1] + "…"
    text = f"{instant(record.timestamp_ms)}  {record.partition}/{record.offset}  {key}  {body}"
    out.print(text, markup=False, soft_wrap=True)


def _known(shell: Shell, reader: "LogReader", topic: str) -> str:
    name = topic.removeprefix(shell.settings.topic_prefix)
    if reader.end_offsets([name]):
        return name
    with shell.admin() as admin:
        near = difflib.get_close_matches(name, [it.name for it in admin.topics()], 1)
    raise TopicUnknown(topic=topic, hint=f", but {near[0]!r} is there" if near else "")


def register(root: typer.Typer) -> None:
    app.command()(topics_create.create)
    app.command("set")(topics_create.set_)
    app.command()(topics_migrate.migrate)
    app.command()(access.acls)
    root.add_typer(app, name="topics")
