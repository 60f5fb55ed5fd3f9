"""The ``bopis`` program: one group of commands per thing that people work with.

Each command parses its options, calls one service or query, and prints one table or, with ``--json``, one document.
This is the table of all commands; a command's module is imported when it is invoked.
"""

from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from bopis.cli.app.context import CommandContext
from bopis.cli.app.groups import LazyCommand, LazyGroup, Program

DOCUMENTS = LazyGroup(
    help="Print pick lists, packing slips and pickup receipts.",
    commands={
        "pick-list": "bopis.cli.pickup.documents:pick_list",
        "packing-slip": "bopis.cli.pickup.documents:packing_slip",
        "receipt": "bopis.cli.pickup.documents:receipt",
    },
)
MAPPINGS = LazyGroup(
    help="Mapping files of tills: list, show, propose one for a file.",
    commands={
        "new": "bopis.cli.agent.mapping:new",
        "list": "bopis.cli.agent.mapping:list_",
        "show": "bopis.cli.agent.mapping:show",
    },
)
COMMANDS: dict[str, str | LazyCommand | LazyGroup] = {
    "demo": "bopis.demo.command:demo",
    "replay": "bopis.cli.replay.command:replay",
    "up": "bopis.cli.operate.run:up",
    "worker": "bopis.cli.operate.run:worker",
    "broker": "bopis.cli.operate.broker:broker",
    "web": LazyGroup(
        help="The API and the pages: serve them, sign in. Without a command they are served.",
        commands={
            "serve": "bopis.cli.web.serve:serve",
            "sign-in": "bopis.cli.web.serve:sign_in",
        },
        default="serve",
    ),
    "keys": LazyGroup(
        help="API keys of shop fronts, tills and other programs: create, list, revoke, rotate.",
        commands={
            "create": "bopis.cli.web.keys:create",
            "list": "bopis.cli.web.keys:list_",
            "revoke": "bopis.cli.web.keys:revoke",
            "rotate": "bopis.cli.web.keys:rotate",
        },
    ),
    "webhooks": LazyGroup(
        help="Webhooks that programs subscribed: list, show, test, deliveries, resend, pause, resume, delete.",
        commands={
            "list": "bopis.cli.web.webhooks:list_",
            "show": "bopis.cli.web.webhooks:show",
            "test": "bopis.cli.web.webhooks:send_test",
            "deliveries": "bopis.cli.web.webhooks:deliveries",
            "resend": "bopis.cli.web.webhooks:resend",
            "pause": "bopis.cli.web.webhooks:pause",
            "resume": "bopis.cli.web.webhooks:resume",
            "delete": "bopis.cli.web.webhooks:delete",
        },
    ),
    "associates": LazyGroup(
        help="Associates of stores and their PINs: add, list, remove.",
        commands={
            "add": "bopis.cli.web.associates:add",
            "list": "bopis.cli.web.associates:list_",
            "remove": "bopis.cli.web.associates:remove",
        },
    ),
    "stock": LazyGroup(
        help="Stock of a store: show levels and history, report receipts, counts and transfers.",
        commands={
            "show": "bopis.cli.stock.show:show",
            "find": "bopis.cli.stock.show:find",
            "history": "bopis.cli.stock.show:history",
            "at": "bopis.cli.stock.history:at",
            "why": "bopis.cli.stock.history:why",
            "count": "bopis.cli.stock.report:count",
            "receive": "bopis.cli.stock.report:receive",
            # A change may be below zero.
            "adjust": LazyCommand("bopis.cli.stock.report:adjust", negative_numbers=True),
            "transfer": "bopis.cli.stock.report:transfer",
            "expect": "bopis.cli.stock.incoming:expect",
            "expected": "bopis.cli.stock.incoming:expected",
            "transfers": "bopis.cli.stock.incoming:transfers",
            "unknown": "bopis.cli.stock.unknown:unknown",
            "categorise": "bopis.cli.stock.categories:categorise",
            "drift": "bopis.cli.stock.drift:drift",
            "mend-split": "bopis.cli.stock.mend_split:mend_split",
        },
    ),
    "stores": LazyGroup(
        help="Stores: import, list, show, set the policy.",
        commands={
            "import": "bopis.cli.master.stores:import_",
            "list": "bopis.cli.master.stores:list_",
            "show": "bopis.cli.master.stores:show",
            "policy": "bopis.cli.master.store_policy:policy",
        },
    ),
    "agent": LazyGroup(
        help="The store agent: run it in a shop, check till files and mappings, look into its journal.",
        commands={
            "run": "bopis.cli.agent.run:run",
            "status": "bopis.cli.agent.journal:status",
            "journal": "bopis.cli.agent.journal:journal",
            "rejects": "bopis.cli.agent.review:rejects",
            "accept": "bopis.cli.agent.review:accept",
            "conflicts": "bopis.cli.agent.conflicts:conflicts",
            "resend": "bopis.cli.agent.journal:resend",
            "count": "bopis.cli.agent.report:count",
            "scan": "bopis.cli.agent.report:scan",
            "receive": "bopis.cli.agent.report:receive",
            "ship": "bopis.cli.agent.report:ship",
            "arrive": "bopis.cli.agent.report:arrive",
            "check": "bopis.cli.agent.check:check",
            "mapping": MAPPINGS,
        },
    ),
    "till": LazyGroup(
        help="Messages of tills: check them, list those that were refused.",
        commands={
            "check": "bopis.cli.till.check:check",
            "refusals": "bopis.cli.till.check:refusals",
        },
    ),
    "catalogue": LazyGroup(
        help="Catalogue: articles with names, units, GTINs, substitutes, kits.",
        commands={
            "import": "bopis.cli.master.catalogue:import_",
            "list": "bopis.cli.master.catalogue:list_",
            "show": "bopis.cli.master.catalogue:show",
            "remove": "bopis.cli.master.catalogue:remove",
        },
    ),
    "order": LazyGroup(
        help="Pickup orders: place, list, show, explain, cancel.",
        commands={
            "list": "bopis.cli.order.orders:list_",
            "show": "bopis.cli.order.orders:show",
            "cancel": "bopis.cli.order.orders:cancel",
            "answer": "bopis.cli.order.orders:answer",
            "move": "bopis.cli.order.move:move",
            "place": "bopis.cli.order.place:place",
            "why": "bopis.cli.order.why:why",
        },
    ),
    "payments": LazyGroup(
        help="Payments of orders: list, explain, mend; compare with the gateways, receive their callbacks.",
        commands={
            "list": "bopis.cli.payments.listing:list_",
            "owed": "bopis.cli.payments.listing:owed",
            "show": "bopis.cli.payments.show:show",
            "retry": "bopis.cli.payments.desk:retry",
            "void": "bopis.cli.payments.desk:void",
            "refund": "bopis.cli.payments.desk:refund",
            "add-method": "bopis.cli.payments.desk:add_method",
            "paid-in-store": "bopis.cli.payments.desk:paid_in_store",
            "settle-unknown": "bopis.cli.payments.desk:settle_unknown",
            "adopt": "bopis.cli.payments.desk:adopt",
            "reconcile": "bopis.cli.payments.reconcile:reconcile",
            "listen": "bopis.cli.payments.listen:listen",
        },
    ),
    "gateway": LazyGroup(
        help="Payment gateways for trials.",
        commands={"fake": "bopis.cli.payments.gateway:fake"},
    ),
    "pickup": LazyGroup(
        help="Work in a store: queue, picking, staging, hand-over, returns.",
        commands={
            "queue": "bopis.cli.pickup.queue:queue",
            "find": "bopis.cli.pickup.find:find",
            "accept": "bopis.cli.pickup.prepare:accept",
            "reject": "bopis.cli.pickup.prepare:reject",
            "assign": "bopis.cli.pickup.prepare:assign",
            "start": "bopis.cli.pickup.prepare:start",
            "pick": "bopis.cli.pickup.prepare:pick",
            "short": "bopis.cli.pickup.prepare:short",
            "substitute": "bopis.cli.pickup.prepare:substitute",
            "stage": "bopis.cli.pickup.prepare:stage",
            "ready": "bopis.cli.pickup.prepare:ready",
            "arrive": "bopis.cli.pickup.handover:arrive",
            "extend": "bopis.cli.pickup.handover:extend",
            "scan": "bopis.cli.pickup.scan:scan",
            "walk": "bopis.cli.pickup.scan:walk",
            "hand-over": "bopis.cli.pickup.handover:hand_over",
            "return": "bopis.cli.pickup.handover:return_",
            "new-code": "bopis.cli.pickup.handover:new_code",
            "not-collected": "bopis.cli.pickup.handover:not_collected",
            "put-back": "bopis.cli.pickup.handover:put_back",
            "print": DOCUMENTS,
        },
    ),
    "board": "bopis.cli.pickup.board:board",
    "notices": LazyGroup(
        help="Notices to customers: list, resend, preview.",
        commands={
            "list": "bopis.cli.customer.notices:list_",
            "show": "bopis.cli.customer.notices:show",
            "resend": "bopis.cli.customer.notices:resend",
            "preview": "bopis.cli.customer.notices:preview",
        },
    ),
    "routing": LazyGroup(
        help="Choice of stores for orders: rules, and past requests under other rules.",
        commands={
            "rules": "bopis.cli.master.routing:rules",
            "check": "bopis.cli.master.routing:check",
            "simulate": "bopis.cli.master.routing:simulate",
        },
    ),
    "kpi": LazyGroup(
        help="Key figures of pickups, computed from events.",
        commands={
            "show": "bopis.cli.operate.kpi:show",
            "define": "bopis.cli.operate.kpi:define",
        },
    ),
    "privacy": LazyGroup(
        help="Customers' data: find, export, erase; keys: backup, restore.",
        commands={
            "find": "bopis.cli.customer.privacy:find",
            "export": "bopis.cli.customer.privacy:export",
            "erase": "bopis.cli.customer.privacy:erase",
            "backup": "bopis.cli.customer.privacy:backup",
            "restore": "bopis.cli.customer.privacy:restore",
        },
    ),
    "backup": "bopis.cli.operate.backup:backup",
    "restore": "bopis.cli.operate.backup:restore",
    "load": "bopis.demo.load.command:load",
    "status": "bopis.cli.operate.status:status",
    "verify": "bopis.cli.operate.verify:verify",
    "doctor": "bopis.cli.operate.doctor:doctor",
    "topics": LazyGroup(
        help="Topics of the log: settings, newest records, creation.",
        commands={
            "list": "bopis.cli.operate.topics:list_",
            "describe": "bopis.cli.operate.topics:describe",
            "tail": "bopis.cli.operate.topics:tail",
            "create": "bopis.cli.operate.topics_create:create",
            "set": "bopis.cli.operate.topics_create:set_",
            "migrate": "bopis.cli.operate.topics_migrate:migrate",
            "acls": "bopis.cli.operate.acls:acls",
        },
    ),
    "dead-letters": LazyGroup(
        help="Messages that a processor could not process.",
        commands={
            "list": "bopis.cli.operate.dead_letters:list_",
            "show": "bopis.cli.operate.dead_letters:show",
            "retry": "bopis.cli.operate.dead_letters:retry",
            "discard": "bopis.cli.operate.dead_letters:discard",
        },
    ),
    "db": LazyGroup(
        help="Tables of the read side.",
        commands={
            "upgrade": "bopis.cli.operate.database:upgrade",
            "check": "bopis.cli.operate.database:check",
            "grant-reader": "bopis.cli.operate.database:grant_reader",
        },
    ),
    "readside": LazyGroup(
        help="The read side: a database made from the log for queries.",
        commands={"rebuild": "bopis.cli.operate.rebuild:rebuild"},
    ),
    "config": LazyGroup(
        help="Settings: flags over environment over file over default.",
        commands={"show": "bopis.cli.operate.config:show"},
    ),
}


class Bopis(Program):
    """The program with its commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"commands": COMMANDS})


app = typer.Typer(
    name="bopis",
    cls=Bopis,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Global options may be anywhere on the line. Every command has --help with examples.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("bopis"))
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the embedded log and the read side.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(metavar="BROKER", help="'embedded', or kafka://HOST:PORT for Apache Kafka.")
    ] = None,
    database: Annotated[str | None, typer.Option(metavar="URL", help="SQLAlchemy URL of the read side.")] = None,
    prefix: Annotated[str | None, typer.Option(metavar="PREFIX", help="Prefix of every topic's name.")] = None,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never ask; fail where a confirmation is needed.")
    ] = False,
    version: Annotated[  # noqa: ARG001  (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Buy online, pick up in store: exact stock from real till sales, on the last unit."""
    flags = {"data_dir": data_dir, "broker": broker, "database": database, "topic_prefix": prefix}
    context.obj = CommandContext(flags, no_input)


if __name__ == "__main__":
    app()
