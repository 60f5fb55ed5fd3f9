"""How stores are chosen: the rules, a check of a rules file, past requests under other rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.routing.simulation import Figures

app = typer.Typer(help="How stores are chosen: rules, and past requests under other rules.", no_args_is_help=True)

ROWS = (
    ("decisions", "decisions"),
    ("routed", "routed"),
    ("offered elsewhere", "offered"),
    ("waiting", "waiting"),
    ("refused", "refused"),
    ("units served", "fill"),
    ("split over stores", "split"),
    ("stores used", "stores"),
    ("distance, mean", "metres_mean"),
    ("promise, mean", "promise_minutes_mean"),
    ("promise kept", "promise_kept"),
    ("SKUs drained", "drained"),
    ("other stores than then", "moved"),
)


@app.command()
def rules(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="TOML file; left out: the rules that routing runs with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a rule set: name, version, limits, and the rankers in their order.

    What it prints is a whole rules file: save it, change it, and name it by the setting routing_rules.
    """
    from bopis.services.routing.rulefile import read_rules, written

    shell = open_shell(context, as_json)
    found = read_rules(file or shell.settings.routing_rules)
    shell.answer({"rules": found}, lambda out: out.print(written(found), end="", markup=False, highlight=False))


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="TOML file of a rule set.")],
    as_json: AsJson = False,
) -> None:
    """Check a rules file; what is wrong is named, with what may stand there."""
    from bopis.services.routing.rulefile import read_rules

    shell = open_shell(context, as_json)
    found = read_rules(file)
    document = {"file": str(file), "name": found.name, "version": found.version, "sound": True}
    told = f"{file} is sound: rule set {found.name!r}, version {found.version}"
    shell.answer(document, lambda out: out.print(told, soft_wrap=True, markup=False))


@app.command()
def simulate(
    context: typer.Context,
    rules_file: Annotated[
        list[Path] | None, typer.Option("--rules", help="TOML file of a rule set; may be given more than once.")
    ] = None,
    since: Annotated[str, typer.Option(help="From when on: 7d, yesterday, 2026-03-01T08:00Z.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Replay past requests under other rules, beside what was decided then and by the candidate rules.

    Each decision is made again from the inputs that it was recorded with: stores that were not looked at then are not
    known, and decisions do not touch each other.
    """
    from bopis.commands.times import read_time
    from bopis.services.routing.errors import NothingToReplay
    from bopis.services.routing.history import read_past
    from bopis.services.routing.rulefile import read_rules
    from bopis.services.routing.simulation import as_decided, beside, not_repeatable, simulate

    shell = open_shell(context, as_json)
    sets = [read_rules(it) for it in rules_file or ()]
    began = read_time(since)
    with shell.reader() as reader:
        past = read_past(reader, began.at_ms)
    if not past:
        raise NothingToReplay(since=began.at.isoformat(timespec="minutes"))
    candidate = beside(past)
    columns = {"as decided": as_decided(past), **({"candidate": candidate} if candidate is not None else {})}
    columns |= {f"{it.name} v{it.version}": simulate(past, it) for it in sets}
    differing = not_repeatable(past)
    if differing:
        shell.say(f"Note: {differing} of {len(past)} decisions were made by another version of the code.")
    document = {
        "since": began.at.isoformat(),
        "not_repeatable": differing,
        "one_store_known": sum(len(it.decision.facts) < 2 for it in past),
        "as_decided": columns.pop("as decided"),
        "candidate": columns.pop("candidate", None),
        "rules": list(columns.values()),
    }
    told = {"as decided": document["as_decided"], **({"candidate": candidate} if candidate is not None else {})}
    shell.answer(document, lambda out: render(out, told | columns))


def render(out: "Console", columns: "dict[str, Any]") -> None:
    """Figures of rule sets side by side, as people read them."""
    from bopis.commands.tables import table

    grid = table("figure", *columns)
    for label, name in ROWS:
        grid.add_row(label, *(_cell(name, it) for it in columns.values()))
    out.print(grid)


def _cell(name: str, figures: "Figures") -> str:
    value = getattr(figures, name)
    if value is None:
        return "-"
    if name == "fill":
        return f"{value / 10:.1f} %"
    if name == "promise_kept":
        return f"{value / 10:.1f} % of {figures.promises_known}"
    return {"metres_mean": f"{value / 1000:.1f} km", "promise_minutes_mean": f"{value} min"}.get(name, f"{value:,}")


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="routing")
