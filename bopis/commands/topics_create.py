"""Topics as the settings want them: created where absent, compared where there, mended one setting at a time."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import SettingBarred, TopicsDoNotFit, TopicUnknown, Usage
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.topics.plans import Misfit, TopicPlan, TopicState

ABSENT, CREATED, FITS, DIFFERS, MISFITS = "absent", "created", "fits", "differs", "does not fit"
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]


def create(context: typer.Context, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Create the topics that are absent, and compare the others with the settings.

    Ends with 4 when an existing topic does not fit; then nothing is created.
    """
    from bopis.adapters.topics import TopicKeeper
    from bopis.topics.known import TOPICS, plans
    from bopis.topics.plans import misfits

    shell = open_shell(context, as_json)
    planned = plans(shell.settings)
    with shell.admin() as admin:
        keeper = TopicKeeper(admin)
        states = keeper.states(it.name for it in planned)
        found = {it.name: misfits(it, states[it.name]) for it in planned if it.name in states}
        unfit = [it for misfits_of in found.values() for it in misfits_of if it.required]
        absent = [it for it in planned if it.name not in states]
        if not unfit and not dry_run:
            keeper.create(absent)
    made = CREATED if not unfit and not dry_run else ABSENT
    rows = [
        _row(plan, states.get(plan.name), found.get(plan.name, ()), made)
        | {"key": topic.key, "kept": topic.kept.value, "written_by": topic.written_by, "read_by": topic.read_by}
        for plan, topic in zip(planned, TOPICS, strict=True)
    ]

    shell.answer({"dry_run": dry_run, "topics": rows}, lambda out: _render(out, rows))
    if unfit:
        shell.say(f"Error: {TopicsDoNotFit(count=len({it.topic for it in unfit}))}")
        for it in unfit:
            shell.say(f"  {it}")
        raise typer.Exit(TopicsDoNotFit.exit_code)


def set_(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="Name of the topic, with or without the prefix.")],
    settings: Annotated[list[str], typer.Argument(metavar="SETTING=VALUE...", help="As Apache Kafka names them.")],
    as_json: AsJson = False,
) -> None:
    """Give a topic other settings. What would make answers wrong is refused: the books are kept for ever."""
    from msgspec.structs import replace

    from bopis.adapters.topics import TopicKeeper
    from bopis.topics.known import BY_NAME, plan
    from bopis.topics.plans import misfits

    shell = open_shell(context, as_json)
    prefix = shell.settings.topic_prefix
    name = topic.removeprefix(prefix)
    wanted = _pairs(settings)
    with shell.admin() as admin:
        keeper = TopicKeeper(admin)
        states = keeper.states([prefix + name])
        if not states:
            raise TopicUnknown(topic=topic, hint="")
        before = states[prefix + name]
        if name in BY_NAME:
            after = replace(before, settings={**before.settings, **wanted})
            for it in misfits(plan(BY_NAME[name], shell.settings), after):
                if it.required and it.setting in wanted:
                    raise SettingBarred(topic=it.topic, setting=it.setting, needed=it.needed, found=it.found)
        keeper.alter(prefix + name, wanted)
    changes = {key: {"was": before.settings.get(key), "is": value} for key, value in wanted.items()}

    def render(out: "Console") -> None:
        for key, change in changes.items():
            out.print(f"{prefix}{name}: {key} was {change['was']}, is {change['is']}.", markup=False)

    shell.answer({"topic": prefix + name, "settings": changes}, render)


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        setting, equals, value = word.partition("=")
        if not equals or not setting or not value:
            raise Usage(problem=f"{word!r} is no setting. Write SETTING=VALUE, for example retention.ms=-1.")
        pairs[setting] = value
    return pairs


def _row(plan: "TopicPlan", state: "TopicState | None", found: "tuple[Misfit, ...]", if_absent: str) -> dict[str, Any]:
    stands = FITS
    if state is None:
        stands = if_absent
    elif found:
        stands = MISFITS if any(it.required for it in found) else DIFFERS
    return {
        "topic": plan.name,
        "state": stands,
        "partitions": state.partitions if state else plan.partitions,
        "replication_factor": state.replication_factor if state else plan.replication_factor,
        "settings": {key: state.settings.get(key) if state else value for key, value in plan.config().items()},
        "differences": [
            {"setting": it.setting, "found": it.found, "needed": it.needed, "required": it.required, "mend": it.mend}
            for it in found
        ],
    }


def _render(out: "Console", rows: list[dict[str, Any]]) -> None:
    from bopis.commands.tables import table

    grid = table("topic", "state", "partitions", "copies", "key", "kept")
    for row in rows:
        grid.add_row(*(str(row[it]) for it in ("topic", "state", "partitions", "replication_factor", "key", "kept")))
    out.print(grid)
    for row in rows:
        if row["state"] in (ABSENT, CREATED):
            settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
            out.print(f"{row['topic']} ({row['state']}): {settings}", markup=False, soft_wrap=True)
        for it in row["differences"]:
            if not it["required"]:
                words = f"{row['topic']}: {it['setting']} is {it['found']}, wanted is {it['needed']}. {it['mend']}"
                out.print(words, markup=False, soft_wrap=True)
