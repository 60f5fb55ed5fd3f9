"""The group of commands about stock."""

import typer

from bopis.commands import stock_incoming, stock_past, stock_read, stock_sort, stock_write

app = typer.Typer(help="Stock of a store: look, ask why, and tell the books what happened.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    for command in (
        stock_read.show,
        stock_read.find,
        stock_read.history,
        stock_past.at,
        stock_past.why,
        stock_write.count,
        stock_write.receive,
        stock_write.adjust,
        stock_write.transfer,
        stock_incoming.expect,
        stock_incoming.expected,
        stock_incoming.transfers,
        stock_sort.categorise,
    ):
        # A change may be below zero, so what looks like an option may be a number.
        settings = {"ignore_unknown_options": True} if command is stock_write.adjust else None
        app.command(context_settings=settings)(command)
    root.add_typer(app, name="stock")
