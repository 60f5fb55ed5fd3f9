"""Forms of the pages as the bodies of the API's commands: typed quantities, steppers, chosen lines. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.orders.state import STAGED_STATES, Line, LineState, Order
from bopis.domain.payments.money import minor_of, plain_amount
from bopis.domain.quantities import Unreadable, read_quantity, unreadable_text
from bopis.services.catalogue import Catalogue
from bopis.services.counter.pick_walk import needs
from bopis.web.problems import Problem

PROBLEM = "form-invalid"


class Form(Struct, frozen=True, kw_only=True):
    """A form's fields by name; a field may be repeated, once for each row."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str = "") -> str:
        """A field that is there once."""
        found = self.fields.get(name, ())
        return found[0].strip() if found else default

    def all(self, name: str) -> list[str]:
        """Every value of a field, in the order of the page."""
        return [it.strip() for it in self.fields.get(name, ())]


def picks(form: Form, order: Order, store: str, catalogue: Catalogue) -> dict[str, Any]:
    """Found and missing units, row by row. Rows of which nothing was found or missed are left out.

    Raises `Problem` for a text that is no quantity, and for rows that the order does not have to pick.
    """
    wanted = {(str(it.line), it.sku): it for it in needs(order, store)}
    found = []
    rows = zip(form.all("line"), form.all("sku"), form.all("found"), form.all("missing"), strict=False)
    for line, sku, units, lacking in rows:
        need = wanted.get((line, sku))
        if need is None:
            raise Problem(409, "line-changed", "This line is no longer to be picked: somebody else recorded it.")
        unit = catalogue.unit(sku)
        picked, missing = quantity(units, unit), quantity(lacking, unit)
        if picked or missing:
            row: dict[str, Any] = {"line": need.line, "picked": picked, "missing": missing}
            found.append(row | ({"sku": sku} if need.is_kit else {}))
    if not found:
        raise Problem(422, PROBLEM, "Say how many were found or are missing.")
    return {"lines": found}


def all_found(order: Order, store: str) -> dict[str, Any]:
    """Every unit that is still to be picked, as found."""
    rows: list[dict[str, Any]] = [
        {"line": it.line, "picked": it.units} | ({"sku": it.sku} if it.is_kit else {}) for it in needs(order, store)
    ]
    if not rows:
        raise Problem(409, "line-changed", "Nothing is left to pick: somebody else recorded it.")
    return {"lines": rows}


def chosen(form: Form, order: Order, store: str, catalogue: Catalogue) -> dict[str, Any]:
    """Which staged lines are meant, and how many units of each: nothing when it is all of them. Raises `Problem`."""
    staged = {str(it.line): it for it in order.in_store(store) if it.state in STAGED_STATES}
    lines, parts = _rows(form, staged, catalogue, lambda it: it.quantity)
    if len(lines) == len(staged):
        return {}
    return {"lines": lines, "parts": parts}


def lost(form: Form, order: Order, store: str, catalogue: Catalogue) -> dict[str, Any]:
    """Staged units that cannot be handed over. Raises `Problem`."""
    staged = {str(it.line): it for it in order.in_store(store) if it.state in STAGED_STATES}
    lines, parts = _rows(form, staged, catalogue, lambda it: it.quantity)
    return {"lines": lines, "parts": parts, "reason": form.one("reason")}


def returned(form: Form, order: Order, catalogue: Catalogue) -> dict[str, Any]:
    """Units that came back, with their condition. Raises `Problem`."""
    over = {str(it.line): it for it in order.lines if it.state is LineState.HANDED_OVER}
    lines, parts = _rows(form, over, catalogue, lambda it: it.quantity - it.returned)
    whole = [{"line": it, "quantity": over[str(it)].quantity - over[str(it)].returned} for it in lines]
    condition = form.one("condition") or "sellable"
    return {"lines": [it | {"condition": condition} for it in [*whole, *parts]]}


def amount(text: str, currency: str) -> int:
    """A typed sum in minor units. Raises `Problem`."""
    cents = minor_of(text, currency)
    if not cents:
        raise Problem(422, PROBLEM, f"{text!r} is no amount; write for example {plain_amount(1250, currency)}.")
    return cents


def quantity(text: str, unit: str) -> int:
    """A typed quantity in the article's smallest unit; nothing is 0. Raises `Problem`."""
    if not text.strip():
        return 0
    units = read_quantity(text, unit)
    if isinstance(units, Unreadable):
        raise Problem(422, PROBLEM, f"{unreadable_text(units, text, unit)}.")
    if units < 0:
        raise Problem(422, PROBLEM, f"{text} is below zero.")
    return units


def body_of(values: Mapping[str, Any], kind: type[Struct]) -> Any:
    """The body of a command. Raises `Problem` for values that it does not take."""
    try:
        return msgspec.convert(dict(values), kind, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(422, PROBLEM, f"{error}.") from error


def _rows(
    form: Form, known: Mapping[str, Line], catalogue: Catalogue, most: Callable[[Line], int]
) -> tuple[list[int], list[dict[str, int]]]:
    """Whole lines, and parts of lines, of the rows with a quantity."""
    lines: list[int] = []
    parts: list[dict[str, int]] = []
    for number, text in zip(form.all("line"), form.all("units"), strict=False):
        line = known.get(number)
        if line is None:
            raise Problem(409, "line-changed", "A line is no longer there: somebody else changed the order.")
        units = quantity(text, catalogue.unit(line.sku))
        if units == most(line):
            lines.append(line.line)
        elif units > most(line):
            there = catalogue.goods(most(line), line.sku)
            raise Problem(422, PROBLEM, f"There are only {there} of line {line.line}.")
        elif units:
            parts.append({"line": line.line, "quantity": units})
    if not lines and not parts:
        raise Problem(422, PROBLEM, "Choose at least one unit.")
    return lines, parts
