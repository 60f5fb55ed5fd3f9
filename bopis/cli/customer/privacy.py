"""Customers' data: find, export and erase it; back up and restore the keys it depends on."""

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from sqlalchemy import Engine

from bopis.adapters.notices.folders import FOLDER, customer_folder, forget
from bopis.adapters.secrets.vault import Vault
from bopis.cli.app.context import AsJson, Yes, open_context
from bopis.cli.app.errors import CustomerUnknown, InvalidInput, NotFound, Usage
from bopis.cli.app.render import counted, print_line
from bopis.contacts import store_country
from bopis.ports import OrderFilter
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.queries.kpi import store_hours
from bopis.readside.queries.orders import SqlOrders
from bopis.services import privacy
from bopis.services.counter.masking import masked

CustomerId = Annotated[
    str,
    typer.Argument(metavar="CUSTOMER", help="Customer id, as shown by bopis privacy find or bopis order show."),
]


def find(
    context: typer.Context,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Mail address of the customer.")] = None,
    phone: Annotated[str | None, typer.Option(metavar="NUMBER", help="Phone number of the customer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find a customer and their orders by mail address or phone number.

    Neither is stored in clear text: keyed hashes are compared.

    Examples:
        bopis privacy find --email anna@example.org
        bopis privacy find --phone "+1 270 555 0100"
    """
    ctx = open_context(context, as_json)
    if (email is None) == (phone is None):
        raise Usage(problem="Give either --email or --phone.")
    with ctx.vault() as vault, ctx.engine() as engine:
        customer = _by_email(vault, email) if email is not None else _by_phone(vault, phone or "", engine)
        if customer is None:
            kind = "address" if email is not None else "phone number"
            raise CustomerUnknown(customer=f"with this {kind}")
        orders = [row["order"] for row in SqlRecords(engine).of(customer)]

    def render(out: Console) -> None:
        print_line(out, f"{customer}: {counted(len(orders), 'order')}")
        for order in orders:
            print_line(out, f"  {order}")

    ctx.print_result({"customer": customer, "orders": orders}, render)


def _by_email(vault: Vault, email: str) -> str | None:
    return vault.find(vault.lookups.email(email))


def _by_phone(vault: Vault, phone: str, engine: Engine) -> str | None:
    """The customer with a phone number, which may be written as in the country of any store."""
    countries = {store_country(it.holidays, it.time_zone) for it in store_hours(engine).values()}
    lookups = [vault.lookups.phone(phone, country) for country in sorted(countries | {""})]
    found = {customer for it in lookups if (customer := vault.find(it)) is not None}
    found = found or {it for it in (vault.find(vault.lookups.phone_digits(phone)),) if it is not None}
    if len(found) > 1:
        raise Usage(problem=f"{phone!r} is a number of several countries. Give it with its country code.")
    return next(iter(found), None)


def export(
    context: typer.Context,
    customer: CustomerId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file, readable by its owner only."),
    ] = None,
    masked: Annotated[bool, typer.Option("--masked", help="Mask contact and notes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export everything about a customer as one JSON document: contact, orders, and their events.

    Examples:
        bopis privacy export c-1f0a -o customer.json
        bopis privacy export c-1f0a --masked
    """
    ctx = open_context(context, as_json)
    with ctx.vault() as vault, ctx.engine() as engine:
        secrets: Any = _MaskingVault(vault) if masked else vault
        exported = privacy.export(secrets, SqlRecords(engine), customer)
    if exported is None:
        raise CustomerUnknown(customer=repr(customer))
    if not exported.readable:
        ctx.note(f"{customer} was erased: the rest is without a name.")
    text = msgspec.json.format(msgspec.json.encode(exported, enc_hook=str), indent=2)
    if output is None:
        ctx.print_result(exported, lambda out: print_line(out, text.decode()))
        return
    _write(output, text)
    document = {"customer": customer, "file": str(output), "orders": len(exported.orders)}
    written = f"{output}: {counted(len(exported.orders), 'order')}"
    ctx.print_result(document, lambda out: print_line(out, written))


def erase(context: typer.Context, customer: CustomerId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make everything about a customer unreadable for ever, here and in every back-up that can be reached.

    Orders, figures and history stay as they are, without a name. Notices that were sent are out of reach.

    Examples:
        bopis privacy erase c-1f0a
        bopis privacy erase c-1f0a --yes
    """
    ctx = open_context(context, as_json)
    with ctx.vault() as vault, ctx.engine() as engine:
        records = SqlRecords(engine)
        if not records.of(customer) and vault.keys.key_of(customer) is None:
            raise CustomerUnknown(customer=repr(customer))
        ctx.confirm(f"make everything about {customer} unreadable for ever", "not erased", yes)
        erased = privacy.erase(vault, records, OutboxCopies(ctx.settings.data_dir), customer)
        unreached = vault.keys.unreached_backups()
    outcome = "is unreadable now" if erased.had_key else "was erased before"
    orders = f"{counted(erased.orders, 'order')} kept without a name"
    line = f"{customer} {outcome}; {orders}, {counted(erased.copies, 'copy', 'copies')} deleted"
    ctx.print_result(erased, lambda out: print_line(out, line))
    if unreached:
        places = ", ".join(map(str, unreached))
        ctx.note(f"Back-ups were not reached: {places}. If one of them is restored, erase {customer} again.")


def backup(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: key-backups in the data directory.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the keys of all customers, still wrapped by the master key, to a new file; old files are deleted.

    Without these keys a copy of the log shows no customer; without the master key this file opens nothing. Erasing a
    customer also erases this file while it is where it was written. `bopis backup` writes log and keys together.

    Examples:
        bopis privacy backup
        bopis privacy backup --folder /mnt/keys
    """
    ctx = open_context(context, as_json)
    days = ctx.settings.keys_backup_days
    with ctx.vault() as vault:
        path = vault.keys.back_up(folder or vault.backups, days)
    document = {"file": str(path), "kept_days": days}
    ctx.print_result(document, lambda out: print_line(out, f"{path} (files older than {days} days were deleted)"))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file written by bopis privacy backup.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore missing keys from a backup; customers whom the installation or the backup knows as erased stay erased.

    Examples:
        bopis privacy restore bopis-data/key-backups/keys-1796000000000.json
        bopis privacy restore /mnt/keys/keys-1796000000000.json --yes
    """
    ctx = open_context(context, as_json)
    if not file.exists():
        raise NotFound(what=f"backup {file}; bopis privacy backup writes one")
    ctx.confirm(f"restore keys from {file}", "not restored", yes)
    with ctx.vault() as vault:
        restored = vault.keys.restore(file)
    document = {"file": str(file), "restored": restored}
    text = f"{counted(restored, 'key')} restored from {file}"
    ctx.print_result(document, lambda out: print_line(out, text))


class SqlRecords:
    """A customer's orders in the read side, each with its events and notices."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, customer: str) -> list[dict[str, Any]]:
        found = []
        with reading(self._engine) as snapshot:
            for order in reversed(SqlOrders(snapshot).find(OrderFilter(customer=customer, ended=True), None)):
                timeline = queries.order_history(snapshot, order.order).timeline
                notices = queries.order_notices(snapshot, order.order)
                events = {"state": order.state, "timeline": timeline, "notices": notices}
                found.append(msgspec.to_builtins(order) | msgspec.to_builtins(events, enc_hook=str))
        return found


class _MaskingVault:
    """A vault whose values are masked: enough to recognise, too little to use."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        fields = self._vault.open(customer, sealed)
        return None if fields is None else {name: masked(name, value) for name, value in fields.items()}


class OutboxCopies:
    """Notices in this installation's outbox."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def count(self, customer: str) -> int:
        folder = customer_folder(self._data_dir / FOLDER, customer)
        return sum(1 for file in folder.iterdir() if file.is_file()) if folder.is_dir() else 0

    def erase(self, customer: str) -> None:
        forget(self._data_dir, customer)


def _write(path: Path, text: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as sink:
            sink.write(text + b"\n")
    except OSError as error:
        raise InvalidInput(problem=f"{path} cannot be written ({error.strerror}). Choose another file.") from error
