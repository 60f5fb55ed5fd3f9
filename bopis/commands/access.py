"""`bopis topics acls`: who needs which right, for a log with access rules."""

from typing import TYPE_CHECKING, Annotated

import typer

from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

TOOL = 'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config admin.properties'


def acls(
    context: typer.Context,
    principal_prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Put before each part's name: who that is to the log.")
    ] = "User:",
    as_commands: Annotated[
        bool, typer.Option("--commands", help="Print lines for Apache Kafka's own tool instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the rights that each part needs of a log with access rules: these and no more.

    Nothing is asked of the log and nothing is changed in it.
    """
    from bopis.topics.access import PARTS, rules

    shell = open_shell(context, as_json)
    found = list(rules(shell.settings.topic_prefix, principal_prefix))
    whats = {it.name: it.what for it in PARTS}

    def render(out: "Console") -> None:
        from bopis.commands.tables import table

        if as_commands:
            for it in found:
                out.print(f"{TOOL} {it.command}", soft_wrap=True, markup=False)
            return
        grid = table("principal", "resource", "name", "rights", "what for")
        for it in found:
            name = f"{it.name} (prefix)" if it.prefixed else it.name
            grid.add_row(it.principal, it.resource.value, name, ", ".join(it.operations), it.why)
        out.print(grid)
        shell.say("With --commands: how to say it to Apache Kafka.")

    rows = [
        {
            "part": it.part,
            "what": whats[it.part],
            "principal": it.principal,
            "resource": it.resource.value,
            "name": it.name,
            "pattern": "prefixed" if it.prefixed else "literal",
            "operations": [operation.value for operation in it.operations],
            "why": it.why,
            "command": f"{TOOL} {it.command}",
        }
        for it in found
    ]
    shell.answer({"rules": rows}, render)
