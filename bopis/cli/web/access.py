"""Options of the commands about access: roles, stores, and the table that has the keys and the associates."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from bopis.access.roles import OWN_STORES, Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url
from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import ReadSideDamaged, ReadSideMissing, ReadSideUnreachable, Usage
from bopis.cli.app.readside import known_store

ROLES = tuple(role for role in Role if role is not Role.CUSTOMER)
RoleOption = Annotated[
    Role, typer.Option("--role", metavar="ROLE", help=f"What may be seen and done: {', '.join(ROLES)}.")
]
Stores = Annotated[
    list[str] | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="A store that the role is limited to; repeat for more.",
        autocompletion=COMPLETE_STORES,
    ),
]


def checked_stores(ctx: CommandContext, role: Role, stores: list[str] | None) -> tuple[str, ...]:
    """The stores that a role is limited to.

    Raises `Usage` for stores that are missing or without effect, and `StoreUnknown`.
    """
    if role is Role.CUSTOMER:
        raise Usage(problem=f"Customers have links of their orders. Roles are: {', '.join(ROLES)}.")
    named = tuple(dict.fromkeys(stores or ()))
    if role in OWN_STORES and not named:
        raise Usage(problem=f"The role {role} is limited to stores: add --store STORE.")
    if role not in OWN_STORES and named:
        raise Usage(problem=f"The role {role} is not limited to stores: leave --store out.")
    check_known(ctx, named)
    return named


def check_known(ctx: CommandContext, stores: tuple[str, ...]) -> None:
    """Raise `StoreUnknown` for a store that was never imported; without a read side nothing is checked."""
    if not stores:
        return
    try:
        with ctx.engine() as engine:
            for store in stores:
                known_store(engine, store)
    except (ReadSideMissing, ReadSideUnreachable, ReadSideDamaged):
        ctx.note(f"Note: the read side is not there, so nobody checked that {', '.join(stores)} exists.")


@contextmanager
def access_table(ctx: CommandContext) -> Iterator[AccessTable]:
    """Open the table of keys and associates. Raises `KeyTableUnavailable`."""
    with closing(AccessTable(keys_url(ctx.settings))) as table:
        yield table


def now_ms() -> int:
    """The time of this machine in epoch milliseconds."""
    return int(time.time() * 1000)
