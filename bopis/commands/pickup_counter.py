"""At the counter: arrive, hand over, extend, return, not collected, put back."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import (
    ORDER,
    STORE,
    AtStore,
    Door,
    Id,
    answer,
    door,
    say,
    store_of,
    vault_of,
    zone_of_store,
)
from bopis.commands.errors import Usage
from bopis.commands.order_access import open_book
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.domain.orders.messages import HandOver
    from bopis.domain.orders.state import Order

LINES = Annotated[list[int] | None, typer.Argument(metavar="[LINE]...", help="Only these lines.")]


class ArrivalName(StrEnum):
    """Where the customer waits; the core's own list."""

    COUNTER = "counter"
    BAY = "bay"
    LOCKER = "locker"


class DocumentName(StrEnum):
    """Kind of identity document; the core's own list without none."""

    IDENTITY_CARD = "identity_card"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    OTHER = "other"


class ConditionName(StrEnum):
    """Whether what came back can be sold; the core's own list."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    QUARANTINE = "quarantine"


def arrive(
    context: typer.Context,
    order: ORDER,
    where: Annotated[ArrivalName, typer.Option(help="Where the customer waits.")] = ArrivalName.COUNTER,
    spot: Annotated[str, typer.Option(help="Which bay or locker.")] = "",
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say that the customer is there, ready or not: the order moves to the top of the queue."""
    from bopis.domain.orders.messages import CustomerArrived
    from bopis.domain.orders.terms import Arrival

    def body(it: "Order", _: Door) -> CustomerArrived:
        return CustomerArrived(store=store_of(it, store), where=Arrival(where.value), spot=spot)

    say(open_shell(context, as_json), order, body, message_id)


def hand_over(
    context: typer.Context,
    order: ORDER,
    lines: LINES = None,
    code: Annotated[
        str | None, typer.Option(help="The six digits, or what the QR code says; asked for if left out.")
    ] = None,
    document: Annotated[
        DocumentName | None, typer.Option(help="Kind of identity document that was looked at; never its number.")
    ] = None,
    proxy: Annotated[str, typer.Option(help="Name of who collects for the customer; sealed at once.")] = "",
    signature: Annotated[str, typer.Option(help="Where the image of the signature is kept.")] = "",
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Hand goods over against the pickup code, or after a look at an identity document.

    Five wrong codes lock the code; then only an identity document counts.
    """
    shell = open_shell(context, as_json)
    if code is not None and document is not None:
        raise Usage(problem="Give either --code or --document.")
    with door(shell) as way:
        it = way.order(order)
        presented = code if code is not None or document is not None else _ask_code(shell)
        proof = (presented, document, proxy, signature)
        body = _hand_over(shell, it, store_of(it, store), proof, tuple(lines or ()))
        answer(way, way.desk.say(it.order, body, message_id))


def extend(
    context: typer.Context,
    order: ORDER,
    until: Annotated[str, typer.Argument(help="Until when, in the store's zone: 2026-03-05, or 2026-03-05T18:00.")],
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Keep a ready order longer, two weeks from now at most."""
    from bopis.commands.times import read_time
    from bopis.domain.orders.messages import ExtendPickup

    def body(it: "Order", way: Door) -> ExtendPickup:
        where = store_of(it, store)
        words = f"{until}T23:59" if len(until) == len("2026-03-05") else until
        return ExtendPickup(store=where, until=read_time(words, zone_of_store(way.reader, where)).at)

    say(open_shell(context, as_json), order, body, message_id)


def return_(
    context: typer.Context,
    order: ORDER,
    lines: Annotated[list[str], typer.Argument(metavar="LINE=NUMBER...", help="What came back, for example 1=2.")],
    condition: Annotated[ConditionName, typer.Option(help="Whether it can be sold again.")] = ConditionName.SELLABLE,
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Take back what was handed over, in any store: to sell again, damaged, or into quarantine."""
    from bopis.commands.lines import read_lines
    from bopis.domain.inventory.messages import Condition
    from bopis.domain.orders.messages import ReturnInStore
    from bopis.domain.orders.units import ReturnedLine

    read = read_lines(lines, least=1)
    if any(not it.sku.isdigit() or int(it.sku) < 1 for it in read):
        raise Usage(problem="Write LINE=NUMBER, for example 1=2: two units of line 1. `bopis order show` names lines.")
    told = tuple(ReturnedLine(line=int(it.sku), quantity=it.units, condition=Condition(condition.value)) for it in read)
    shell = open_shell(context, as_json)
    say(shell, order, lambda it, _: ReturnInStore(store=store_of(it, store), lines=told), message_id)


def new_code(context: typer.Context, order: ORDER, message_id: Id = None, as_json: AsJson = False) -> None:
    """Give an order a new pickup code: the old one is void, its tries begin anew, and the customer is told."""
    from bopis.domain.orders.messages import ReissueCode

    shell = open_shell(context, as_json)
    vault = vault_of(shell)

    def body(it: "Order", _: Door) -> ReissueCode:
        version = it.code.version + 1
        code_hash, token_hash = vault.codes.hashes(it.order, version)
        return ReissueCode(version=version, code_hash=code_hash, token_hash=token_hash)

    try:
        say(shell, order, body, message_id)
    finally:
        vault.close()


def not_collected(context: typer.Context, store: STORE, as_json: AsJson = False) -> None:
    """List what was not collected: orders whose window is nearly over, and goods that go back to the shelf."""
    from bopis.commands.tables import iso
    from bopis.domain.orders.numbers import shown
    from bopis.domain.orders.terms import TaskKind
    from bopis.services.counter.work import Colour, Step, queue

    shell = open_shell(context, as_json)
    with open_book(shell) as (_, book):
        orders = book.in_store(store)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    waiting = [
        {"order": it.order, "shown": shown(it.order), "kept_until": iso(it.due_ms), "location": it.location}
        for it in queue(orders, store, now_ms)
        if it.step is Step.AWAIT_CUSTOMER and it.colour in (Colour.YELLOW, Colour.RED)
    ]
    tasks = [
        {"order": it.order, "shown": shown(it.order), "task": task.task, "state": it.state.value}
        for it in orders
        for task in it.tasks
        if task.store == store and task.kind is TaskKind.PUT_BACK
    ]

    def render(out: "Console") -> None:
        for kept in waiting:
            told = f"{kept['shown']}  at {kept['location']}, kept until {kept['kept_until']}"
            out.print(f"{told}: bopis pickup extend {kept['shown']} DAY keeps it longer", markup=False, soft_wrap=True)
        for it in tasks:
            words = f"{it['shown']}  {it['state'].replace('_', ' ')}: back to the shelf, then bopis pickup put-back "
            out.print(f"{words}{it['shown']} {it['task']}", markup=False, soft_wrap=True)
        if not waiting and not tasks:
            shell.say("Nothing is left over.")

    shell.answer({"store": store, "waiting": waiting, "put_back": tasks}, render)


def put_back(
    context: typer.Context,
    order: ORDER,
    task: Annotated[str | None, typer.Argument(help="Name of the task; left out, every open one of the order.")] = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say that goods of an order are on the shelf again."""
    from bopis.domain.orders.messages import ConfirmPutBack
    from bopis.domain.orders.terms import TaskKind

    shell = open_shell(context, as_json)
    with door(shell) as way:
        it = way.order(order)
        names = [task] if task else [open_.task for open_ in it.tasks if open_.kind is TaskKind.PUT_BACK]
        if not names:
            raise Usage(problem="Nothing of this order waits to be put back.")
        for name in names[:-1]:
            way.desk.say(it.order, ConfirmPutBack(task=name))
        answer(way, way.desk.say(it.order, ConfirmPutBack(task=names[-1]), message_id))


def _ask_code(shell: Shell) -> str:
    import sys

    if shell.no_input or not sys.stdin.isatty():
        raise Usage(problem="Give the pickup code with --code, or the kind of identity document with --document.")
    return str(typer.prompt("Pickup code", err=True))


def _hand_over(shell: Shell, order: "Order", store: str, proof: tuple[Any, ...], lines: tuple[int, ...]) -> "HandOver":
    """The hand-over with what was presented as its keyed hash: codes stand in no message."""
    from bopis.services.counter.proving import hand_over as proved

    presented, document, proxy, signature = proof
    vault = vault_of(shell)
    try:
        return proved(vault, order, (store, lines), presented, (document, proxy, signature))
    finally:
        vault.close()
