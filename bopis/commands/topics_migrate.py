"""Moving everything to topics of another prefix, with another number of partitions."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.shell import AsJson, Shell, Yes, open_shell
from bopis.commands.topics_create import DryRun

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.adapters.admin import LogAdmin
    from bopis.services.migration.world import Moving, Ways
    from bopis.settings import Settings

LOOK_AGAIN_SECONDS = 0.5
# A worker with a lasting name stays a member until its session ends; a little more than that.
SESSION_EXTRA_SECONDS = 5.0
# Who writes what is moved. Readers may stay: a projection only falls behind.
GROUPS = ["inventory", "orders", "routing"]
# A reader that goes from partition to partition waits for the fetch that it has sent last; there is nothing to wait
# for at the end of a partition that nobody writes to.
FETCH_WAIT_MS = 10


def migrate(
    context: typer.Context,
    to_prefix: Annotated[str, typer.Option("--to-prefix", help="Prefix of the new topics.")],
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=1024, help="How many they get.")],
    dry_run: DryRun = False,
    anew: Annotated[bool, typer.Option("--anew", help="Delete what an unfinished attempt has copied first.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Copy everything to topics of a new prefix with another number of partitions, exactly.

    Tills and workers must be stopped, and everything decided. The old topics stay as they are. When it is interrupted,
    run it again: it goes on where it stood, and each record stands in the new topics once.
    """
    from msgspec import structs

    from bopis.services.migration.errors import PrefixTaken
    from bopis.services.migration.move import Move

    shell = open_shell(context, as_json)
    old = shell.settings
    if to_prefix == old.topic_prefix:
        raise PrefixTaken(prefix=to_prefix)
    other = Shell({**shell.flags, "topic_prefix": to_prefix, "partitions": partitions}, shell.no_input)
    if anew and not dry_run:
        shell.confirm(f"delete unfinished topics that begin with {to_prefix}", yes)
    began = time.monotonic()
    with _ways(shell, other) as ways:
        move = Move(ways, _moving(old, other.settings), (old.topic_prefix, to_prefix))
        report = move.look()
        if not dry_run:
            report = move.run(anew)
    document: dict[str, Any] = {
        "dry_run": dry_run,
        "from_prefix": old.topic_prefix,
        "to_prefix": to_prefix,
        "partitions": partitions,
        **structs.asdict(report),
        "seconds": round(time.monotonic() - began, 3),
    }
    shell.answer(document, lambda out: _render(out, document))


def _moving(old: "Settings", new: "Settings") -> "list[Moving]":
    from bopis.services.migration.world import Moving
    from bopis.topics.known import TOPICS, Moved, plan

    return [
        Moving(topic=it, old_name=old.topic_prefix + it.name, plan=plan(it, new))
        for it in TOPICS
        if it.moved is not Moved.NOTHING
    ]


@contextmanager
def _ways(shell: Shell, other: Shell) -> "Iterator[Ways]":
    from bopis.adapters.copying import place
    from bopis.adapters.log import LogReader
    from bopis.adapters.topics import TopicKeeper
    from bopis.commands.progress import bar
    from bopis.services.migration.world import Ways

    with ExitStack() as stack:
        admins = [stack.enter_context(it.admin()) for it in (shell, other)]
        readers: list[LogReader] = [
            stack.enter_context(it.reader(fetch_max_wait_ms=FETCH_WAIT_MS)) for it in (shell, other)
        ]
        yield Ways(
            old=readers[0],
            new=readers[1],
            keeper=TopicKeeper(admins[0]),
            copier=stack.enter_context(other.copier()),
            place=place,
            working=_working(admins, shell.settings.session_timeout_seconds + SESSION_EXTRA_SECONDS),
            show=lambda words, total: bar(shell, words, total),
        )


def _working(admins: "list[LogAdmin]", patience_seconds: float) -> Callable[[], list[str]]:
    """Names the groups that still have members when patience has ended."""

    def ask() -> list[str]:
        give_up = time.monotonic() + patience_seconds
        while True:
            found = [it for admin in admins for it in admin.groups(GROUPS).values()]
            busy = [f"{it.name} ({it.members} members)" for it in found if it.members]
            if not busy or time.monotonic() > give_up:
                return busy
            time.sleep(LOOK_AGAIN_SECONDS)

    return ask


def _render(out: "Console", told: dict[str, Any]) -> None:
    from bopis.commands.tables import table

    out.print(
        f"{told['messages']} messages of {told['stores']} stores, {told['rows']} rows, {told['ticks']} ticks.",
        markup=False,
    )
    if told["other_keys"]:
        words = "were published under another key than their store's code; mend who published them."
        out.print(f"{told['other_keys']} messages {words}", soft_wrap=True)
    if told["dry_run"]:
        out.print("They can be moved as they stand. Nothing was done.")
        return
    grid = table("topic", "records", "copied now")
    for name, records in told["moved"].items():
        grid.add_row(told["to_prefix"] + name, str(records), str(told["appended"][name]))
    out.print(grid)
    for line in (
        "Compared: every record, and the rows with what the messages come to.",
        f"Next: set topic_prefix = {told['to_prefix']!r} and partitions = {told['partitions']} for every program and",
        "till, run `bopis readside rebuild`, start `bopis up`, and look with `bopis verify`.",
        f"The topics under {told['from_prefix']!r} are as they were; delete them when you no longer want a way back.",
    ):
        out.print(line, markup=False, soft_wrap=True)
