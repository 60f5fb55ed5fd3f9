"""Routing rules: show them, check a rules file, replay past requests under other rules."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import print_line, table
from bopis.services.routing import rules_comparison
from bopis.services.routing.errors import NothingToReplay
from bopis.services.routing.history import read_past_decisions
from bopis.services.routing.rules_comparison import RuleSetFigures
from bopis.services.routing.rules_file import read_rules, written


def rules(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="TOML file; by default the rules that routing runs with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a rule set: name, version, limits, and the rankers in their order.

    The output is a complete rules file: save it, change it, and name it in the setting routing_rules.

    Examples:
        bopis routing rules
        bopis routing rules near.toml --json
    """
    ctx = open_context(context, as_json)
    rule_set = read_rules(file or ctx.settings.routing_rules)
    text = written(rule_set)
    ctx.print_result({"rules": rule_set}, lambda out: out.print(text, end="", markup=False, highlight=False))


def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="TOML file of a rule set.")],
    as_json: AsJson = False,
) -> None:
    """Check a rules file; each error is listed with the values that are allowed.

    Examples:
        bopis routing check near.toml
        bopis routing check near.toml --json
    """
    ctx = open_context(context, as_json)
    rule_set = read_rules(file)
    document = {"file": str(file), "name": rule_set.name, "version": rule_set.version, "sound": True}
    text = f"{file} is valid: rule set {rule_set.name!r}, version {rule_set.version}"
    ctx.print_result(document, lambda out: print_line(out, text))


def simulate(
    context: typer.Context,
    rules_file: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="TOML file of a rule set; repeat for more.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="First request: 7d (ago), yesterday, 2026-03-01T08:00Z.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Replay past requests under other rules; compare with the decisions made then and by the candidate rules.

    Each decision is made again from its recorded inputs: stores that were not considered then are not known, and
    decisions do not affect each other.

    Examples:
        bopis routing simulate --rules near.toml
        bopis routing simulate --rules near.toml --rules cheap.toml --since 30d
    """
    ctx = open_context(context, as_json)
    rule_sets = [read_rules(file) for file in rules_file or ()]
    began = read_time(since)
    with ctx.reader() as reader:
        past = read_past_decisions(reader, began.at_ms)
    if not past:
        raise NothingToReplay(since=began.at.isoformat(timespec="minutes"))
    as_decided, candidate = rules_comparison.as_decided(past), rules_comparison.of_candidate(past)
    simulated = {f"{rules.name} v{rules.version}": rules_comparison.simulate(past, rules) for rules in rule_sets}
    differing = rules_comparison.not_repeatable(past)
    if differing:
        ctx.note(f"Note: {differing} of {len(past)} decisions were made by another version of the code.")
    document = {
        "since": began.at.isoformat(),
        "not_repeatable": differing,
        "one_store_known": sum(len(it.decision.facts) < 2 for it in past),
        "as_decided": as_decided,
        "candidate": candidate,
        "rules": list(simulated.values()),
    }
    columns = {"as decided": as_decided} | ({"candidate": candidate} if candidate is not None else {}) | simulated
    ctx.print_result(document, lambda out: render(out, columns))


def render(out: Console, columns: dict[str, RuleSetFigures]) -> None:
    """Print the figures of rule sets side by side."""
    grid = table("figure", *columns)
    for label, name in rules_comparison.FIGURES:
        grid.add_row(label, *(_cell(name, figures) for figures in columns.values()))
    out.print(grid)


def _cell(name: str, figures: RuleSetFigures) -> str:
    value = getattr(figures, name)
    if value is None:
        return "-"
    if name == "fill":
        return f"{value / 10:.1f} %"
    if name == "promise_kept":
        return f"{value / 10:.1f} % of {figures.promises_known}"
    return {"metres_mean": f"{value / 1000:.1f} km", "promise_minutes_mean": f"{value} min"}.get(name, f"{value:,}")
