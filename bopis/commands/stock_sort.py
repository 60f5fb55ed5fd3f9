"""Telling which category each SKU belongs to, by which rules find them."""

from pathlib import Path
from typing import Annotated

import typer

from bopis.commands.errors import InvalidInput, Usage
from bopis.commands.saying import Id, Manner, NoWait, answer, say
from bopis.commands.shell import AsJson, open_shell
from bopis.commands.stock_write import STORE


def categorise(
    context: typer.Context,
    store: STORE,
    what: Annotated[
        list[str],
        typer.Argument(metavar="SKU=CATEGORY...|FILE", help="Pairs, or one CSV file with columns sku and category."),
    ],
    message_id: Id = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Note the category of SKUs in a store; rules of a category then hold for them."""
    from bopis.domain.inventory.messages import CategoriseSkus, CategoryLine
    from bopis.domain.values import LINES_MAX

    shell = open_shell(context, as_json)
    pairs = _from_file(Path(what[0])) if len(what) == 1 and "=" not in what[0] else _from_words(what)
    if not pairs:
        raise InvalidInput(problem=f"{what[0]} names no SKU. Give a CSV file with columns sku and category.")
    lines = [CategoryLine(sku=sku, category=category) for sku, category in pairs.items()]
    told = None
    for number, start in enumerate(range(0, len(lines), LINES_MAX), 1):
        part = tuple(lines[start : start + LINES_MAX])
        named = f"{message_id}/{number}" if message_id and len(lines) > LINES_MAX else message_id
        told = say(shell, store, CategoriseSkus(lines=part), [it.sku for it in part], Manner(None, named, no_wait))
    assert told is not None
    answer(shell, f"{len(lines)} SKUs categorised in {store}", told)


def _from_words(words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        sku, equals, category = word.rpartition("=")
        if not (sku and equals and category):
            raise Usage(problem=f"{word!r} is not SKU=CATEGORY. Write for example 852159=produce, or name a CSV file.")
        pairs[sku] = category
    return pairs


def _from_file(file: Path) -> dict[str, str]:
    from bopis.commands.rowfiles import read_rows

    pairs = {}
    for row in read_rows(file):
        sku, category = row.cells.get("sku", "").strip(), row.cells.get("category", "").strip()
        if not sku or not category:
            raise InvalidInput(problem=f"{file} line {row.line}: a row needs sku and category.")
        pairs[sku] = category
    return pairs
