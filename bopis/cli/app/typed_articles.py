"""Codes and quantities as people type them, by the catalogue: GTINs, units, the components of kits."""

from collections.abc import Iterable

from bopis.adapters.barcodes import gtin14
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import KitHasNoShelf
from bopis.cli.app.parse_lines import TypedLine, line_text, read_lines
from bopis.services.catalogue import Catalogue


def unit_in(catalogue: Catalogue, code: str) -> str:
    """The unit of a typed code."""
    return catalogue.unit(catalogue.resolve(code, gtin14) or code)


def stock_lines(ctx: CommandContext, words: Iterable[str], least: int) -> list[TypedLine]:
    """Typed lines about shelves, each under the SKU of its code. Raises `KitHasNoShelf` and what `read_lines` does."""
    catalogue = ctx.catalogue
    return _on_shelves(catalogue, _resolved(ctx, catalogue, _read(catalogue, words, least)))


def stocked_lines(ctx: CommandContext, lines: Iterable[TypedLine]) -> list[TypedLine]:
    """Lines of a file about shelves, each under the SKU of its code, of one article one line. Raises
    `KitHasNoShelf`."""
    catalogue = ctx.catalogue
    found: dict[str, TypedLine] = {}
    for line in _on_shelves(catalogue, _resolved(ctx, catalogue, lines)):
        before = found.get(line.sku)
        units = line.units if before is None else line.units + before.units
        found[line.sku] = TypedLine(line.sku, units, catalogue.unit(line.sku))
    return list(found.values())


def received_lines(ctx: CommandContext, words: Iterable[str]) -> list[TypedLine]:
    """Typed lines of goods that arrive, each under the SKU of its code; of a kit its components."""
    catalogue = ctx.catalogue
    resolved = _resolved(ctx, catalogue, _read(catalogue, words, 1))
    return [it for line in resolved for it in _components(catalogue, line)]


def _read(catalogue: Catalogue, words: Iterable[str], least: int) -> list[TypedLine]:
    return read_lines(words, least, lambda code: unit_in(catalogue, code))


def _resolved(ctx: CommandContext, catalogue: Catalogue, lines: Iterable[TypedLine]) -> list[TypedLine]:
    found = []
    for line in lines:
        sku = catalogue.resolve(line.sku, gtin14)
        if sku is None and catalogue.all():
            ctx.note(f"{line.sku} is in no catalogue: it counts under this code, and `bopis stock unknown` lists it.")
        found.append(line._replace(sku=sku or line.sku))
    return found


def _on_shelves(catalogue: Catalogue, lines: list[TypedLine]) -> list[TypedLine]:
    for line in lines:
        article = catalogue.get(line.sku)
        if article is not None and article.components:
            raise KitHasNoShelf(sku=line.sku, components=line_text(_components(catalogue, line)))
    return lines


def _components(catalogue: Catalogue, line: TypedLine) -> list[TypedLine]:
    return [
        TypedLine(part.sku, line.units * part.quantity, catalogue.unit(part.sku)) for part in catalogue.parts(line.sku)
    ]
