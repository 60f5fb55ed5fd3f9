"""Customers' data: found, handed out, made unreadable; the keys that it depends on, backed up and put back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import InvalidInput, NotFound, Usage
from bopis.commands.shell import AsJson, Shell, Yes, open_shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.adapters.secrets.vault import Vault

app = typer.Typer(help="Customers' data: found, handed out, made unreadable.", no_args_is_help=True)

CUSTOMER = Annotated[str, typer.Argument(help="Id of the customer, as bopis privacy find or bopis order show say it.")]


@app.command()
def find(
    context: typer.Context,
    email: Annotated[str | None, typer.Option(help="Mail address that the customer gave.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number that the customer gave.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find a customer by mail address or phone number, and the orders there are.

    Neither stands anywhere in clear text: what is compared are keyed hashes.
    """
    shell = open_shell(context, as_json)
    if (email is None) == (phone is None):
        raise Usage(problem="Say either --email or --phone.")
    with _vault(shell) as vault:
        lookup = vault.lookups.email(email) if email is not None else vault.lookups.phone(phone or "")
        customer = vault.find(lookup)
    if customer is None:
        raise NotFound(what="a customer who is reached so; whoever was erased is not found any more")
    with shell.engine() as engine:
        orders = [it["order"] for it in SqlRecords(engine).of(customer)]

    def render(out: "Console") -> None:
        out.print(f"{customer}: {len(orders)} orders", markup=False, soft_wrap=True)
        for it in orders:
            out.print(f"  {it}", markup=False)

    shell.answer({"customer": customer, "orders": orders}, render)


@app.command()
def export(
    context: typer.Context,
    customer: CUSTOMER,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, for its owner only.")
    ] = None,
    masked: Annotated[bool, typer.Option("--masked", help="Contact and notes masked, for who need not know.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand out everything about a customer as one JSON document: contact, orders, and all that happened to them."""
    import msgspec

    from bopis.services import privacy

    shell = open_shell(context, as_json)
    with _vault(shell) as vault, shell.engine() as engine:
        secrets: Any = _Masking(vault) if masked else vault
        told = privacy.export(secrets, SqlRecords(engine), customer)
    if told is None:
        raise NotFound(what=f"customer {customer!r}; bopis privacy find looks one up")
    if not told.readable:
        shell.say(f"{customer} was erased: what remains has no name.")
    text = msgspec.json.format(msgspec.json.encode(told, enc_hook=str), indent=2)
    if output is None:
        shell.answer(told, lambda out: out.print(text.decode(), markup=False, highlight=False, soft_wrap=True))
        return
    _write(output, text)
    said = {"customer": customer, "file": str(output), "orders": len(told.orders)}
    shell.answer(said, lambda out: out.print(f"{output}: {len(told.orders)} orders", soft_wrap=True, markup=False))


@app.command()
def erase(context: typer.Context, customer: CUSTOMER, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make everything about a customer unreadable, here and in the back-ups of keys, for ever.

    Orders, figures and history stay as they are, without a name. What was sent to the customer is out of reach.
    """
    from bopis.services import privacy

    shell = open_shell(context, as_json)
    with _vault(shell) as vault, shell.engine() as engine:
        records = SqlRecords(engine)
        if not records.of(customer) and vault.keys.key_of(customer) is None:
            raise NotFound(what=f"customer {customer!r}; bopis privacy find looks one up")
        shell.confirm(f"make everything about {customer} unreadable for ever", yes)
        erased = privacy.erase(vault, records, OutboxCopies(shell.settings.data_dir), customer)
    words = "is unreadable now" if erased.had_key else "had been erased before"
    line = f"{customer} {words}; {erased.orders} orders stay without a name, {erased.copies} copies were deleted"
    shell.answer(erased, lambda out: out.print(line, soft_wrap=True, markup=False))


@app.command()
def backup(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option(help="Where to; default key-backups in the data directory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the keys of all customers, still wrapped by the master key, to a new file; old files are deleted.

    Without the keys a copy of the log shows no customer, and without the master key this file opens nothing. Erasing
    takes a customer out of the back-ups in the data directory only: keep others as briefly.
    """
    shell = open_shell(context, as_json)
    days = shell.settings.keys_backup_days
    with _vault(shell) as vault:
        path = vault.keys.back_up(folder or vault.backups, days)
    said = {"file": str(path), "kept_days": days}
    shell.answer(said, lambda out: out.print(f"{path} (files older than {days} days are gone)", soft_wrap=True))


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that bopis privacy backup wrote.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put keys of a back-up back where they are missing; who was erased in this installation stays erased."""
    shell = open_shell(context, as_json)
    if not file.exists():
        raise NotFound(what=f"back-up {file}; bopis privacy backup writes one")
    shell.confirm(f"put keys of {file} back", yes)
    with _vault(shell) as vault:
        restored = vault.keys.restore(file)
    said = {"file": str(file), "restored": restored}
    shell.answer(said, lambda out: out.print(f"{restored} keys put back from {file}", soft_wrap=True, markup=False))


class SqlRecords:
    """A customer's orders in the read side, each with all that happened to it."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def of(self, customer: str) -> list[dict[str, Any]]:
        import msgspec

        from bopis.readside import queries

        found = []
        for order in queries.orders_of(self._engine, customer):
            timeline = queries.order_story(self._engine, order.order).timeline
            notices = queries.order_notices(self._engine, order.order)
            told = {"state": order.state, "timeline": timeline, "notices": notices}
            found.append(msgspec.to_builtins(order) | msgspec.to_builtins(told, enc_hook=str))
        return found


class _Masking:
    """A vault that shows enough to recognise and too little to use."""

    def __init__(self, vault: "Vault") -> None:
        self._vault = vault

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        from bopis.services.counter.masking import masked

        fields = self._vault.open(customer, sealed)
        return None if fields is None else {name: masked(name, value) for name, value in fields.items()}


class OutboxCopies:
    """Letters that lie in this installation's outbox."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def count(self, customer: str) -> int:
        from bopis.adapters.notices.folders import FOLDER, customer_folder

        folder = customer_folder(self._data_dir / FOLDER, customer)
        return sum(1 for it in folder.iterdir() if it.is_file()) if folder.is_dir() else 0

    def erase(self, customer: str) -> None:
        from bopis.adapters.notices.folders import forget

        forget(self._data_dir, customer)


@contextmanager
def _vault(shell: Shell) -> Iterator["Vault"]:
    from bopis.adapters.secrets.vault import open_vault

    vault = open_vault(shell.settings)
    try:
        yield vault
    finally:
        vault.close()


def _write(path: Path, text: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as sink:
            sink.write(text + b"\n")
    except OSError as error:
        raise InvalidInput(problem=f"{path} cannot be written ({error.strerror}). Choose another file.") from error


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="privacy")
