"""The policy of a store: whether it takes pickups, and what it keeps back from them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import Usage
from bopis.commands.saying import Id, Manner, NewStore, NoWait, Told, answer, say
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def policy(
    context: typer.Context,
    store: Annotated[str, typer.Argument(help="Id of the store.")],
    pickup: Annotated[Switch | None, typer.Option(help="Whether the store takes pickups.")] = None,
    staleness_grace: Annotated[
        int | None, typer.Option(min=0, max=100_000, metavar="MINUTES", help="Silence that is forgiven.")
    ] = None,
    safety_stock: Annotated[int | None, typer.Option(min=0, help="Units never promised online.")] = None,
    walk_in: Annotated[int | None, typer.Option(min=0, help="Units kept for people who walk in.")] = None,
    sku: Annotated[str | None, typer.Option(help="The units are of this SKU.")] = None,
    category: Annotated[str | None, typer.Option(help="The units are of each SKU of this category.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the rule of the SKU, category or store.")] = False,
    message_id: Id = None,
    new_store: NewStore = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Set or show a store's policy. Of its rules the most specific wins: SKU, then category, then store."""
    shell = open_shell(context, as_json)
    units = {"safety_stock": safety_stock, "walk_in_reserve": walk_in}
    sets_units = any(it is not None for it in units.values())
    if sku is not None and category is not None:
        raise Usage(problem="A rule is about a SKU or a category, not both; set two rules.")
    if remove and sets_units:
        raise Usage(problem="--remove takes the whole rule away; leave --safety-stock and --walk-in out.")
    if (sku or category) and not (sets_units or remove):
        raise Usage(problem="Say what the rule is: --safety-stock N, --walk-in N or --remove.")
    said: list[tuple[str, Told]] = []
    manner = Manner(None, message_id, no_wait, new_store)
    if pickup is not None or staleness_grace is not None:
        said.append(_switch(shell, store, pickup, staleness_grace, manner))
    if sets_units or remove:
        said.append(_rule(shell, store, {"sku": sku, "category": category, **units}, manner))
    for words, told in said:
        if not shell.json:
            answer(shell, words, told)
    if not no_wait:
        _show(shell, store)
    elif shell.json:
        answer(shell, *said[-1])


def _switch(shell: Shell, store: str, pickup: Switch | None, grace: int | None, manner: Manner) -> tuple[str, Told]:
    from bopis.domain.inventory.messages import SetStorePolicy

    body = SetStorePolicy(pickup=None if pickup is None else pickup is Switch.ON, staleness_grace_minutes=grace)
    named = manner._replace(message_id=f"{manner.message_id}/policy" if manner.message_id else None)
    return f"Policy of {store} set", say(shell, store, body, [], named)


def _rule(shell: Shell, store: str, terms: dict[str, Any], manner: Manner) -> tuple[str, Told]:
    from bopis.domain.inventory.messages import SetStockRule

    about = terms["sku"] or terms["category"] or "the whole store"
    named = manner._replace(message_id=f"{manner.message_id}/rule" if manner.message_id else None)
    return f"Rule of {store} for {about} set", say(shell, store, SetStockRule(**terms), [], named)


def _show(shell: Shell, store: str) -> None:
    from bopis.commands.readside_access import known_store

    with shell.engine() as engine:
        about = known_store(engine, store)

    def render(out: "Console") -> None:
        from bopis.commands.tables import table

        out.print(
            f"{store}: pickup {'on' if about.pickup else 'OFF'}, silence forgiven {about.staleness_grace_minutes} min",
            soft_wrap=True,
        )
        if not about.rules:
            out.print("No rules: nothing is kept back.", soft_wrap=True)
            return
        grid = table("rule", "safety", "walk-in reserve")
        for name, terms in sorted(about.rules.items()):
            kept = [terms.get(term) for term in ("safety_stock", "walk_in_reserve")]
            grid.add_row(name, *("-" if it is None else str(it) for it in kept))
        out.print(grid)

    shell.note_if_idle()
    document = {
        "store": store,
        "pickup": about.pickup,
        "staleness_grace_minutes": about.staleness_grace_minutes,
        "rules": about.rules,
    }
    shell.answer(document, render)
