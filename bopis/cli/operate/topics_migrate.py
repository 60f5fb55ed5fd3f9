"""`bopis topics migrate`: copy everything to topics of another prefix with another number of partitions."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import typer
from msgspec import structs
from rich.console import Console

from bopis.adapters.admin import LogAdmin
from bopis.adapters.topics import TopicKeeper
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.progress import bar
from bopis.cli.app.render import counted, print_line, table
from bopis.cli.operate.topics_create import DryRun
from bopis.services.migration.errors import PrefixTaken
from bopis.services.migration.move import Move
from bopis.services.migration.ports import MoveConnections, MovedTopic
from bopis.settings import Settings
from bopis.topics.definitions import TOPICS, MigrationRule, plan

POLL_SECONDS = 0.5
# A worker with a lasting name stays a member of its group until its session ends.
SESSION_EXTRA_SECONDS = 5.0
# The writers of what is moved. Readers may run: a projection only falls behind.
GROUPS = ["inventory", "orders", "routing"]
# A reader that goes from partition to partition waits for its last fetch; at the end of a partition without writers
# there is nothing to wait for.
FETCH_WAIT_MS = 10


def migrate(
    context: typer.Context,
    to_prefix: Annotated[str, typer.Option("--to-prefix", metavar="PREFIX", help="Prefix of the new topics.")],
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=1024, help="Their number of partitions.")],
    dry_run: DryRun = False,
    restart: Annotated[bool, typer.Option("--restart", help="First delete topics of an unfinished attempt.")] = False,
    anew: Annotated[bool, typer.Option("--anew", hidden=True, help="Former name of --restart.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Copy everything to topics of a new prefix with another number of partitions, exactly.

    Stop tills and workers first; every message must be decided. The old topics stay as they are. After an interruption
    run it again: it continues, and each record is copied once.

    Examples:
        bopis topics migrate --to-prefix bopis2. --partitions 16 --dry-run
        bopis topics migrate --to-prefix bopis2. --partitions 16
    """
    ctx = open_context(context, as_json)
    old = ctx.settings
    if to_prefix == old.topic_prefix:
        raise PrefixTaken(prefix=to_prefix)
    other = CommandContext({**ctx.flags, "topic_prefix": to_prefix, "partitions": partitions}, ctx.no_input)
    start_over = restart or anew
    if start_over and not dry_run:
        ctx.confirm(f"delete unfinished topics that begin with {to_prefix}", "nothing was deleted", yes)
    began = time.monotonic()
    with _migration_clients(ctx, other) as clients:
        move = Move(clients, _moving(old, other.settings), old.topic_prefix, to_prefix)
        report = move.look()
        if not dry_run:
            report = move.run(start_over)
    document: dict[str, Any] = {
        "dry_run": dry_run,
        "from_prefix": old.topic_prefix,
        "to_prefix": to_prefix,
        "partitions": partitions,
        **structs.asdict(report),
        "seconds": round(time.monotonic() - began, 3),
    }
    ctx.print_result(document, lambda out: _render(out, document))


def _moving(old: Settings, new: Settings) -> list[MovedTopic]:
    return [
        MovedTopic(topic=topic, old_name=old.topic_prefix + topic.name, plan=plan(topic, new))
        for topic in TOPICS
        if topic.migration is not MigrationRule.NOTHING
    ]


@contextmanager
def _migration_clients(ctx: CommandContext, other: CommandContext) -> Iterator[MoveConnections]:
    with ExitStack() as stack:
        admins = [stack.enter_context(side.admin()) for side in (ctx, other)]
        old, new = (stack.enter_context(side.reader(fetch_max_wait_ms=FETCH_WAIT_MS)) for side in (ctx, other))
        yield MoveConnections(
            old=old,
            new=new,
            keeper=TopicKeeper(admins[0]),
            copier=stack.enter_context(other.copier()),
            working=_groups_with_members(admins, ctx.settings.session_timeout_seconds + SESSION_EXTRA_SECONDS),
            show=lambda label, total: bar(ctx, label, total),
        )


def _groups_with_members(admins: list[LogAdmin], patience_seconds: float) -> Callable[[], list[str]]:
    """A function that returns the groups that still have members after a time of patience."""

    def ask() -> list[str]:
        give_up = time.monotonic() + patience_seconds
        while True:
            groups = [group for admin in admins for group in admin.groups(GROUPS).values()]
            busy = [f"{group.name} ({counted(group.members, 'member')})" for group in groups if group.members]
            if not busy or time.monotonic() > give_up:
                return busy
            time.sleep(POLL_SECONDS)

    return ask


def _render(out: Console, document: dict[str, Any]) -> None:
    messages, stores = counted(document["messages"], "message"), counted(document["stores"], "store")
    rows, ticks = counted(document["rows"], "row"), counted(document["ticks"], "tick")
    print_line(out, f"{messages} of {stores}, {rows}, {ticks}.")
    if document["other_keys"]:
        others = counted(document["other_keys"], "message")
        print_line(out, f"{others} with another key than their store's id: correct the program that published them.")
    if document["dry_run"]:
        print_line(out, "They can be copied. Nothing was changed.")
        return
    grid = table("topic", "records", "copied now")
    for name, records in document["moved"].items():
        grid.add_row(document["to_prefix"] + name, str(records), str(document["appended"][name]))
    out.print(grid)
    for line in (
        "Verified: every record, and the rows against the messages.",
        f"Next: set topic_prefix = {document['to_prefix']!r} and partitions = {document['partitions']} in all programs",
        "and tills, run `bopis readside rebuild`, start `bopis up`, and check with `bopis verify`.",
        f"The topics under {document['from_prefix']!r} are unchanged; delete them when you no longer need a way back.",
    ):
        print_line(out, line)
