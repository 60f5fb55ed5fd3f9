"""Associates of stores and their PINs: add, list, remove."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.access.associates import AssociateRecord, new_associate
from bopis.access.roles import Role
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import InvalidInput, NotFound, Usage
from bopis.cli.app.readside import password_of
from bopis.cli.app.render import iso, plain, print_line, table
from bopis.cli.web.access import access_table, check_known, now_ms

NAME_LENGTH_MAX = 100
ASSOCIATE_ROLES = (Role.STORE_ASSOCIATE, Role.STORE_MANAGER)
AssociateName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the associate, as it is recorded.")]


def add(
    context: typer.Context,
    store: StoreId,
    name: AssociateName,
    role: Annotated[
        Role, typer.Option("--role", metavar="ROLE", help=f"{' or '.join(ASSOCIATE_ROLES)}.")
    ] = Role.STORE_ASSOCIATE,
    pin_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with the PIN, and nothing else; by default it is asked for."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add an associate of a store, or give one a new PIN. The PIN has 4 to 12 digits, and is asked for twice.

    With it they sign in at the store's counter page; what they do is recorded under their name.

    Examples:
        bopis associates add 319 "Anna Schmidt"
        bopis associates add 319 Mehmet --role store-manager --pin-file pin.txt
    """
    ctx = open_context(context, as_json)
    if role not in ASSOCIATE_ROLES:
        raise Usage(problem=f"An associate is {' or '.join(ASSOCIATE_ROLES)}.")
    named = name.strip()
    if not 0 < len(named) <= NAME_LENGTH_MAX:
        raise Usage(problem=f"A name has 1 to {NAME_LENGTH_MAX} characters.")
    check_known(ctx, (store,))
    pin = _pin(ctx, pin_file)
    try:
        record = new_associate(store, named, role, pin, created_ms=now_ms(), created_by=ctx.actor)
    except ValueError as error:
        raise InvalidInput(problem=f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    with access_table(ctx) as access:
        known = access.associate(store, named)
        access.put_associate(record)
    is_new = known is None or bool(known.ended_ms)
    text = f"{named} can sign in to store {store} ({role})" + ("." if is_new else ", with the new PIN.")
    ctx.print_result(_row(record) | {"new": is_new}, lambda out: print_line(out, text))


def list_(
    context: typer.Context,
    store: StoreId,
    every: Annotated[bool, typer.Option("--all", help="Also those whose access has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the associates of a store.

    Examples:
        bopis associates list 319
        bopis associates list 319 --all --json
    """
    ctx = open_context(context, as_json)
    with access_table(ctx) as access:
        rows = [_row(it) for it in access.associates_of(store) if every or not it.ended_ms]

    def render(out: Console) -> None:
        if not rows:
            print_line(out, f"No associates of store {store}. `bopis associates add {store} NAME` adds one.")
            return
        grid = table("name", "role", "added", "by", "ended")
        for row in rows:
            cells = row["name"], row["role"], row["created"] or "", row["created_by"], row["ended"] or ""
            grid.add_row(*map(plain, cells))
        out.print(grid)

    ctx.print_result({"store": store, "associates": rows}, render)


def remove(context: typer.Context, store: StoreId, name: AssociateName, as_json: AsJson = False) -> None:
    """End an associate's access. The name stays in the record of what was done.

    Sessions that are open end within seconds.

    Examples:
        bopis associates remove 319 "Anna Schmidt"
        bopis associates remove 319 Mehmet --json
    """
    ctx = open_context(context, as_json)
    with access_table(ctx) as access:
        record = access.associate(store, name.strip())
        if record is None or record.ended_ms:
            raise NotFound(what=f"associate {name!r} of store {store}; `bopis associates list {store}` lists them")
        record = msgspec.structs.replace(record, ended_ms=now_ms())
        access.put_associate(record)
    text = f"{record.name} can no longer sign in to store {store}."
    ctx.print_result(_row(record), lambda out: print_line(out, text))


def _pin(ctx: CommandContext, file: Path | None) -> str:
    if file is not None:
        return (password_of(file) or "").strip()
    if ctx.no_input or not sys.stdin.isatty():
        raise Usage(problem="Nobody can be asked for the PIN here: add --pin-file FILE.")
    pin: str = typer.prompt("PIN", hide_input=True, confirmation_prompt="PIN again", err=True)
    return pin


def _row(record: AssociateRecord) -> dict[str, Any]:
    return {
        "store": record.store,
        "name": record.name,
        "role": record.role,
        "created": iso(record.created_ms),
        "created_by": record.created_by,
        "ended": iso(record.ended_ms),
    }
