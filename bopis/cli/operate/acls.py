"""`bopis topics acls`: the rights that each part needs of a log with access rules."""

from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.render import print_line, table
from bopis.topics.acls import PARTS, rules

TOOL = 'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config admin.properties'


def acls(
    context: typer.Context,
    principal_prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Prefix of each part's name: the form of principals in the log.")
    ] = "User:",
    as_commands: Annotated[
        bool, typer.Option("--commands", help="Print commands for Apache Kafka's own tool instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the rights that each part needs of a log with access rules, and no more than these.

    The log is not contacted.

    Examples:
        bopis topics acls
        bopis topics acls --commands --principal-prefix User:CN=
    """
    ctx = open_context(context, as_json)
    found = list(rules(ctx.settings.topic_prefix, principal_prefix))
    purposes = {part.name: part.description for part in PARTS}

    def render(out: Console) -> None:
        if as_commands:
            for rule in found:
                print_line(out, f"{TOOL} {rule.command}")
            return
        grid = table("principal", "resource", "name", "rights", "purpose")
        for rule in found:
            name = f"{rule.name} (prefix)" if rule.prefixed else rule.name
            grid.add_row(rule.principal, rule.resource.value, name, ", ".join(rule.operations), rule.why)
        out.print(grid)
        ctx.note("--commands prints them for Apache Kafka's tool.")

    rows = [
        {
            "part": rule.part,
            "what": purposes[rule.part],
            "principal": rule.principal,
            "resource": rule.resource.value,
            "name": rule.name,
            "pattern": "prefixed" if rule.prefixed else "literal",
            "operations": [operation.value for operation in rule.operations],
            "why": rule.why,
            "command": f"{TOOL} {rule.command}",
        }
        for rule in found
    ]
    ctx.print_result({"rules": rows}, render)
