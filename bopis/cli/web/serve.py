"""`bopis web`: serve the API and the pages, and make links to sign in with."""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from bopis.access.roles import Role
from bopis.access.session import LINK_S_MAX
from bopis.adapters.secrets.sign_in_links import SignInLinks
from bopis.adapters.web_process import web_address
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import Unavailable
from bopis.cli.app.render import print_line
from bopis.cli.web.access import RoleOption, Stores, checked_stores

MINUTE_S = 60


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on; one that other machines reach needs TLS."),
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Port; 0 takes a free one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the pages until Ctrl-C.

    `bopis up` does it as well; this is for a log that runs elsewhere, or for another address.

    Examples:
        bopis web serve
        bopis web serve --port 9000
    """
    ctx = open_context(context, as_json)
    ctx.flags |= {name: value for name, value in (("web_host", host), ("web_port", port)) if value is not None}
    _ = ctx.settings  # raises for a setting that is not valid, before the process is replaced
    ctx.require_log()
    environment = os.environ | {f"BOPIS_{name.upper()}": str(value) for name, value in ctx.flags.items()}
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, [sys.executable, "-m", "bopis.web", *(["--json"] if as_json else [])], environment)
    except OSError as error:
        raise Unavailable(what=f"{sys.executable} ({error})", next="Install bopis again: make setup.") from error


def sign_in(
    context: typer.Context,
    role: RoleOption = Role.HQ_OPERATOR,
    store: Stores = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that signs a browser in once, within a quarter of an hour.

    What is done in that browser is recorded under your name.

    Examples:
        bopis web sign-in
        bopis web sign-in --role store-manager --store 319
    """
    ctx = open_context(context, as_json)
    stores = checked_stores(ctx, role, store)
    address = web_address(ctx.settings)
    if address is None:
        raise Unavailable(what="The web process", next="Start it: bopis up, or bopis web.")
    with ctx.vault() as vault:
        link = SignInLinks(vault.session_key).url(address, ctx.actor, role, stores)
    document = {"url": link, "role": role, "stores": stores, "name": ctx.actor, "valid_seconds": LINK_S_MAX}

    def render(out: Console) -> None:
        print_line(out, link)
        ctx.note(f"It opens one session as {ctx.actor} ({role}), within {LINK_S_MAX // MINUTE_S} minutes.")

    ctx.print_result(document, render)
