"""Create the topics that the settings plan, compare existing ones with the plan, change single settings."""

from typing import Annotated, Any

import typer
from msgspec.structs import replace
from rich.console import Console

from bopis.adapters.topics import TopicKeeper
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import SettingBarred, TopicsDoNotFit, TopicUnknown, Usage
from bopis.cli.app.render import print_line, table
from bopis.topics.definitions import BY_NAME, TOPICS, plan, plans
from bopis.topics.plans import TopicDifference, TopicPlan, TopicState, differences

ABSENT, CREATED, FITS, DIFFERS, MISFITS = "absent", "created", "fits", "differs", "does not fit"
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")]


def create(context: typer.Context, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Create absent topics, and compare the others with the settings.

    Exit code 4 when an existing topic cannot be used as it is; then nothing is created.

    Examples:
        bopis topics create --dry-run
        bopis topics create --broker kafka://log1:9092
    """
    ctx = open_context(context, as_json)
    planned = plans(ctx.settings)
    with ctx.admin() as admin:
        keeper = TopicKeeper(admin)
        states = keeper.states(plan.name for plan in planned)
        found = {plan.name: differences(plan, states[plan.name]) for plan in planned if plan.name in states}
        unfit = [misfit for misfits_of in found.values() for misfit in misfits_of if misfit.required]
        absent = [plan for plan in planned if plan.name not in states]
        if not unfit and not dry_run:
            keeper.create(absent)
    made = CREATED if not unfit and not dry_run else ABSENT
    rows = [
        _row(plan, states.get(plan.name), found.get(plan.name, ()), made)
        | {"key": topic.key, "kept": topic.retention.value, "written_by": topic.written_by, "read_by": topic.read_by}
        for plan, topic in zip(planned, TOPICS, strict=True)
    ]

    ctx.print_result({"dry_run": dry_run, "topics": rows}, lambda out: _render(out, rows))
    if unfit:
        ctx.note(f"Error: {TopicsDoNotFit(count=len({misfit.topic for misfit in unfit}))}")
        for misfit in unfit:
            ctx.note(f"  {misfit}")
        raise typer.Exit(TopicsDoNotFit.exit_code)


def set_(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Name of the topic, with or without the prefix.")],
    settings: Annotated[
        list[str], typer.Argument(metavar="SETTING=VALUE", help="Settings, as Apache Kafka names them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change settings of a topic. Settings that would lose data are refused: stock and orders are kept for ever.

    Examples:
        bopis topics set dead-letters retention.ms=2592000000
        bopis topics set stock segment.bytes=104857600
    """
    ctx = open_context(context, as_json)
    prefix = ctx.settings.topic_prefix
    name = topic.removeprefix(prefix)
    wanted = _pairs(settings)
    with ctx.admin() as admin:
        keeper = TopicKeeper(admin)
        states = keeper.states([prefix + name])
        if not states:
            raise TopicUnknown(topic=topic, hint="")
        before = states[prefix + name]
        if name in BY_NAME:
            after = replace(before, settings={**before.settings, **wanted})
            for misfit in differences(plan(BY_NAME[name], ctx.settings), after):
                if misfit.required and misfit.setting in wanted:
                    facts = {"setting": misfit.setting, "needed": misfit.needed, "found": misfit.found}
                    raise SettingBarred(topic=misfit.topic, **facts)
        keeper.alter(prefix + name, wanted)
    changes = {key: {"was": before.settings.get(key), "is": value} for key, value in wanted.items()}

    def render(out: Console) -> None:
        for key, change in changes.items():
            print_line(out, f"{prefix}{name}: {key} was {change['was']}, is {change['is']}.")

    ctx.print_result({"topic": prefix + name, "settings": changes}, render)


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        setting, equals, value = word.partition("=")
        if not equals or not setting or not value:
            raise Usage(problem=f"{word!r} is not SETTING=VALUE. Write for example retention.ms=-1.")
        pairs[setting] = value
    return pairs


def _row(
    plan: TopicPlan, state: TopicState | None, found: tuple[TopicDifference, ...], if_absent: str
) -> dict[str, Any]:
    status = FITS
    if state is None:
        status = if_absent
    elif found:
        status = MISFITS if any(it.required for it in found) else DIFFERS
    return {
        "topic": plan.name,
        "state": status,
        "partitions": state.partitions if state else plan.partitions,
        "replication_factor": state.replication_factor if state else plan.replication_factor,
        "settings": {key: state.settings.get(key) if state else value for key, value in plan.config().items()},
        "differences": [
            {"setting": it.setting, "found": it.found, "needed": it.needed, "required": it.required, "mend": it.mend}
            for it in found
        ],
    }


def _render(out: Console, rows: list[dict[str, Any]]) -> None:
    grid = table("topic", "state", "partitions", "copies", "key", "kept")
    for row in rows:
        grid.add_row(*(str(row[it]) for it in ("topic", "state", "partitions", "replication_factor", "key", "kept")))
    out.print(grid)
    for row in rows:
        if row["state"] in (ABSENT, CREATED):
            settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
            print_line(out, f"{row['topic']} ({row['state']}): {settings}")
        for it in row["differences"]:
            if not it["required"]:
                values = f"{it['setting']} is {it['found']}, should be {it['needed']}"
                print_line(out, f"{row['topic']}: {values}. {it['mend']}")
