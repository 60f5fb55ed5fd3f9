"""Completion of stores and open orders in the shell. It never fails, says nothing, and never waits long."""

from collections.abc import Callable
from typing import Any

COMPLETIONS_MAX = 50
WAIT_SECONDS = 2.0


def _quietly(found: Callable[[Any, str], list[tuple[str, str]]]) -> Callable[..., list[tuple[str, str]]]:
    def complete(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
        from bopis.commands.shell import Shell

        try:
            root = ctx.find_root()
            flags = {
                "data_dir": root.params.get("data_dir"),
                "broker": root.params.get("broker"),
                "database": root.params.get("database"),
                "topic_prefix": root.params.get("prefix"),
                "publish_timeout_seconds": WAIT_SECONDS,
            }
            return found(Shell(flags), incomplete)[:COMPLETIONS_MAX]
        except Exception:
            return []  # Whatever is wrong is told by the command itself; a completion has nowhere to say it.

    return complete


def _orders(shell: Any, begin: str) -> list[tuple[str, str]]:
    from bopis.commands.order_access import open_book
    from bopis.domain.orders.numbers import MISREAD, shown
    from bopis.ports import OrdersWanted

    with open_book(shell) as (_, book):
        found = book.find(OrdersWanted(begin.upper().translate(MISREAD)), COMPLETIONS_MAX)
    return [(shown(it.order), f"{it.state.value}, store {it.store}") for it in sorted(found, key=lambda it: it.order)]


def _stores(shell: Any, begin: str) -> list[tuple[str, str]]:
    from bopis.services.directory import read_directory

    with shell.reader() as reader:
        stores = read_directory(reader)
    return [(name, it.name) for name, it in sorted(stores.items()) if name.lower().startswith(begin.lower())]


COMPLETE_ORDERS = _quietly(_orders)
COMPLETE_STORES = _quietly(_stores)
