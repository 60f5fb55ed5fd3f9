"""The policy of a store: whether it takes pickups, and the units it reserves."""

from enum import StrEnum
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, MessageId, NoWait, Yes, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.readside import known_store
from bopis.cli.app.render import counted, print_line, table
from bopis.cli.order.lookup import open_book
from bopis.cli.stock.send import NewStore, Result, SendOptions, print_sent, send
from bopis.domain.inventory.messages import STALENESS_PERCENT_MAX, SetStockRule, SetStorePolicy
from bopis.domain.orders.picking import MOVABLE


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


class Done(NamedTuple):
    """A message about a store's policy that was sent, and what it did."""

    text: str
    result: Result


def policy(
    context: typer.Context,
    store: StoreId,
    pickup: Annotated[Switch | None, typer.Option(help="Whether the store takes pickups.")] = None,
    staleness_grace: Annotated[
        int | None,
        typer.Option(
            min=0, max=100_000, metavar="MINUTES", help="Grace period without till messages before units are withheld."
        ),
    ] = None,
    staleness: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=STALENESS_PERCENT_MAX,
            metavar="PERCENT",
            help="Withhold for this share of the sales expected since the last till message; 0: none.",
        ),
    ] = None,
    safety_stock: Annotated[int | None, typer.Option(min=0, metavar="UNITS", help="Never promised online.")] = None,
    walk_in: Annotated[int | None, typer.Option(min=0, metavar="UNITS", help="Reserved for walk-in customers.")] = None,
    sku: Annotated[str | None, typer.Option(metavar="SKU", help="The rule is for this SKU.")] = None,
    category: Annotated[
        str | None, typer.Option(metavar="CATEGORY", help="The rule is for each SKU of this category.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the rule of the SKU, category or store.")] = False,
    also_open: Annotated[
        bool, typer.Option("--also-open", help="With --pickup off: also take open orders out of the store.")
    ] = False,
    yes: Yes = False,
    message_id: MessageId = None,
    new_store: NewStore = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Set or show a store's policy. Of its rules the most specific applies: SKU, then category, then store.

    With --pickup off the store takes no new orders and finishes its open ones. With --also-open what is not staged is
    offered elsewhere or cancelled.

    Examples:
        bopis stores policy 319 --pickup off
        bopis stores policy 319 --category produce --safety-stock 2
    """
    ctx = open_context(context, as_json)
    rule = SetStockRule(sku=sku, category=category, safety_stock=safety_stock, walk_in_reserve=walk_in)
    sets_units = safety_stock is not None or walk_in is not None
    _check_rule(rule, sets_units, remove)
    if also_open and pickup is not Switch.OFF:
        raise Usage(problem="--also-open goes with --pickup off.")
    done: list[Done] = []
    options = SendOptions(None, message_id, no_wait, new_store)
    if (pickup, staleness_grace, staleness) != (None, None, None):
        takes_pickups = None if pickup is None else pickup is Switch.ON
        finishes_open = None
        if takes_pickups is False:
            finishes_open = not also_open
            _announce_open(ctx, store, also_open, yes)
        body = SetStorePolicy(
            pickup=takes_pickups,
            staleness_grace_minutes=staleness_grace,
            finishes_open=finishes_open,
            staleness_percent=staleness,
        )
        result = send(ctx, store, body, [], _named(options, "policy"))
        done.append(Done(f"Policy of {store} set", result))
    if sets_units or remove:
        about = sku or category or "the whole store"
        result = send(ctx, store, rule, [], _named(options, "rule"))
        done.append(Done(f"Rule of {store} for {about} {'removed' if remove else 'set'}", result))
    for step in done:
        if not ctx.json:
            print_sent(ctx, step.text, step.result)
    if not no_wait or not done:
        _show(ctx, store)
    elif ctx.json:
        print_sent(ctx, done[-1].text, done[-1].result)


def _check_rule(rule: SetStockRule, sets_units: bool, remove: bool) -> None:
    """Raise `Usage` for options about a rule that do not go together."""
    if rule.sku is not None and rule.category is not None:
        raise Usage(problem="A rule is about a SKU or a category, not both; set two rules.")
    if remove and sets_units:
        raise Usage(problem="--remove removes the whole rule; leave --safety-stock and --walk-in out.")
    if (rule.sku or rule.category) and not (sets_units or remove):
        raise Usage(problem="Give the rule: --safety-stock N, --walk-in N or --remove.")


def _announce_open(ctx: CommandContext, store: str, also_open: bool, yes: bool) -> None:
    """Count the open orders of a store that takes no more pickups, and ask before they are taken out of it."""
    with open_book(ctx) as (_, book):
        orders = [it for it in book.in_store(store) if any(line.store == store for line in it.live)]
    unstaged = [it for it in orders if any(line.state in MOVABLE for line in it.in_store(store))]
    if also_open and unstaged:
        taken, stay = counted(len(unstaged), "open order"), len(orders) - len(unstaged)
        staged = f" ({counted(stay, 'staged order')} will still be handed over)" if stay else ""
        question = f"take {taken} out of store {store}{staged}; each is offered elsewhere, or cancelled"
        ctx.confirm(question, "pickup not switched off", yes)
    elif orders:
        kept = counted(len(orders), "open order")
        ctx.note(f"No new orders from now on. {kept} will still be finished here (or give --also-open).")


def _named(options: SendOptions, part: str) -> SendOptions:
    """The options with an id of their own for one part of the command: an id names one message."""
    return options._replace(message_id=f"{options.message_id}/{part}" if options.message_id else None)


def _show(ctx: CommandContext, store: str) -> None:
    with ctx.engine() as engine:
        about = known_store(engine, store)

    def render(out: Console) -> None:
        pickup = "on" if about.pickup else "OFF"
        withheld = f"then {about.staleness_percent} % of the expected sales withheld"
        print_line(out, f"{store}: pickup {pickup}, grace period {about.staleness_grace_minutes} min, {withheld}")
        if not about.rules:
            print_line(out, "No rules: nothing is reserved.")
            return
        grid = table("rule", "safety", "walk-in reserve")
        for name, units in sorted(about.rules.items()):
            reserved = [units.get(term) for term in ("safety_stock", "walk_in_reserve")]
            grid.add_row(name, *("-" if number is None else str(number) for number in reserved))
        out.print(grid)

    ctx.warn_if_idle()
    document = {
        "store": store,
        "pickup": about.pickup,
        "staleness_grace_minutes": about.staleness_grace_minutes,
        "staleness_percent": about.staleness_percent,
        "rules": about.rules,
    }
    ctx.print_result(document, render)
