"""`bopis stock categorise`: the category of SKUs, by which stock rules find them."""

from pathlib import Path
from typing import Annotated

import typer

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, MessageId, NoWait, open_context
from bopis.cli.app.errors import InvalidInput, Usage
from bopis.cli.app.render import counted
from bopis.cli.app.row_files import read_rows, refuse_rejected
from bopis.cli.stock.send import SendOptions, print_sent, send
from bopis.domain.inventory.messages import CategoriseSkus, CategoryLine
from bopis.domain.values import LINES_MAX
from bopis.tables.header import ColumnNames
from bopis.wire.characters import text_problems

FILE_COLUMNS = ColumnNames(("sku", "category"), ("sku", "category"))


def categorise(
    context: typer.Context,
    store: StoreId,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="SKU=CATEGORY|FILE", help="Pairs, or one file (CSV, NDJSON, .xlsx) with columns sku and category."
        ),
    ],
    message_id: MessageId = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Set the category of SKUs in a store; the rules of that category then apply to them.

    Examples:
        bopis stock categorise 319 4011=produce 852159=garden
        bopis stock categorise 319 categories.csv
    """
    ctx = open_context(context, as_json)
    pairs = _from_file(ctx, Path(what[0])) if len(what) == 1 and "=" not in what[0] else _from_words(what)
    if not pairs:
        raise InvalidInput(problem=f"{what[0]} has no SKU. Give a CSV file with columns sku and category.")
    lines = [CategoryLine(sku=sku, category=category) for sku, category in pairs.items()]
    result = None
    for number, start in enumerate(range(0, len(lines), LINES_MAX), 1):
        part = tuple(lines[start : start + LINES_MAX])
        part_id = f"{message_id}/{number}" if message_id and len(lines) > LINES_MAX else message_id
        skus = [line.sku for line in part]
        result = send(ctx, store, CategoriseSkus(lines=part), skus, SendOptions(None, part_id, no_wait))
    assert result is not None
    print_sent(ctx, f"{counted(len(lines), 'SKU')} categorised in {store}", result)


def _from_words(words: list[str]) -> dict[str, str]:
    """Categories by SKU in ``SKU=CATEGORY`` words."""
    pairs = {}
    for word in words:
        sku, equals, category = word.rpartition("=")
        if not (sku and equals and category):
            raise Usage(problem=f"{word!r} is not SKU=CATEGORY. Write for example 852159=produce, or name a CSV file.")
        pairs[sku] = category
    return pairs


def _from_file(ctx: CommandContext, file: Path) -> dict[str, str]:
    """Categories by SKU in a file of rows."""
    pairs = {}
    read = read_rows(ctx, file, FILE_COLUMNS)
    refuse_rejected(ctx, file, read.rejected, len(read.rows), skip_bad=False)
    for row in read.rows:
        sku, category = row.cells.get("sku", ""), row.cells.get("category", "")
        if not sku or not category:
            raise InvalidInput(problem=f"{file} line {row.line}: a row needs sku and category.")
        if problems := text_problems((("sku", sku), ("category", category))):
            raise InvalidInput(problem=f"{file} line {row.line}: {'; '.join(problems)}.")
        pairs[sku] = category
    return pairs
