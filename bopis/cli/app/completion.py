"""Completion of store ids, and the store argument of all commands.

A completion prints nothing, raises nothing and waits two seconds at most: it runs at every press of the Tab key.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from bopis.cli.app.context import STORE_VARIABLE, CommandContext
from bopis.services.store_directory import read_directory

COMPLETIONS_MAX = 50
WAIT_SECONDS = 2.0

Completions = list[tuple[str, str]]


def quiet_completion(find: Callable[[CommandContext, str], Completions]) -> Callable[..., Completions]:
    """A completion for Typer from a function of the context and the characters typed so far."""

    def complete(ctx: typer.Context, incomplete: str) -> Completions:
        try:
            options = ctx.find_root().params
            flags = {
                "data_dir": options.get("data_dir"),
                "broker": options.get("broker"),
                "database": options.get("database"),
                "topic_prefix": options.get("prefix"),
                "publish_timeout_seconds": WAIT_SECONDS,
            }
            return find(CommandContext(flags), incomplete)[:COMPLETIONS_MAX]
        except Exception:
            return []  # The command itself reports the error; a completion has nowhere to print it.

    return complete


def _stores(ctx: CommandContext, prefix: str) -> Completions:
    with ctx.reader() as reader:
        stores = read_directory(reader)
    return [(store, it.name) for store, it in sorted(stores.items()) if store.lower().startswith(prefix.lower())]


COMPLETE_STORES = quiet_completion(_stores)

StoreId = Annotated[
    str,
    typer.Argument(metavar="STORE", help="Store id.", envvar=STORE_VARIABLE, autocompletion=COMPLETE_STORES),
]
