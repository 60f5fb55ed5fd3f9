"""`bopis broker`: the embedded log alone."""

from typing import Annotated

import typer

from bopis.broker.limits import BrokerLimits
from bopis.broker.main import run
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.operate.run import Port


def broker(
    context: typer.Context,
    port: Port = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Change one limit; repeat for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the embedded log alone: the Kafka protocol on this machine's loopback address.

    Examples:
        bopis broker
        bopis broker --port 0 --data-dir /var/lib/bopis
    """
    ctx = open_context(context, as_json)
    settings = ctx.settings
    if not settings.embedded:
        raise Usage(problem=f"The log is {settings.broker}, not the embedded one; leave --broker out to start it.")
    pairs = dict(pair.split("=", 1) for pair in limit or () if "=" in pair)
    if len(pairs) != len(limit or ()):
        raise Usage(problem="Write a limit as NAME=VALUE, each name once.")
    try:
        limits = BrokerLimits().with_text(pairs)
    except ValueError as error:
        raise Usage(problem=error) from error
    code = run(settings.data_dir, settings.broker_port if port is None else port, limits, as_json)
    raise typer.Exit(code)
