"""The store's side of orders: the queue, the shelf, the counter."""

import typer

from bopis.commands import pickup_counter, pickup_print, pickup_queue, pickup_scan, pickup_work

app = typer.Typer(help="Work in a store: the queue, picking, staging, handing over.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    app.command()(pickup_queue.queue)
    for command in (
        pickup_work.accept,
        pickup_work.reject,
        pickup_work.assign,
        pickup_work.start,
        pickup_work.pick,
        pickup_work.short,
        pickup_work.substitute,
        pickup_work.stage,
        pickup_work.ready,
        pickup_counter.arrive,
        pickup_counter.extend,
        pickup_scan.scan,
        pickup_scan.walk,
    ):
        app.command()(command)
    app.command("hand-over")(pickup_counter.hand_over)
    app.command("return")(pickup_counter.return_)
    app.command("new-code")(pickup_counter.new_code)
    app.command("not-collected")(pickup_counter.not_collected)
    app.command("put-back")(pickup_counter.put_back)
    app.add_typer(pickup_print.app, name="print")
    root.add_typer(app, name="pickup")
