"""Coverage of an order by a store's stock; lines that share a SKU or a kit component are counted together."""

from collections.abc import Iterable, Mapping, Sequence

from bopis.domain.sourcing.decision import AssignedLine, Missing
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import RequestLine


def wanted_units(lines: Iterable[RequestLine]) -> dict[str, int]:
    """Units that the lines take from the shelf, per SKU, in the order of the lines."""
    units: dict[str, int] = {}
    for line in lines:
        for part in line.parts:
            units[part.sku] = units.get(part.sku, 0) + part.quantity * line.quantity
    return units


def available(store: StoreFacts) -> dict[str, int]:
    """Units available to promise in a store, per SKU."""
    return {it.sku: it.atp for it in store.skus}


def missing(wanted: Mapping[str, int], atp: Mapping[str, int]) -> tuple[Missing, ...]:
    """Units wanted but not available, by SKU in the order of the lines."""
    return tuple(
        Missing(sku=sku, wanted=units, available=atp.get(sku, 0))
        for sku, units in wanted.items()
        if atp.get(sku, 0) < units
    )


def all_of(lines: Sequence[RequestLine]) -> tuple[AssignedLine, ...]:
    """All units of every line."""
    return tuple(AssignedLine(line=it.line, quantity=it.quantity) for it in lines)


def take(lines: Sequence[RequestLine], left: Mapping[int, int], atp: dict[str, int]) -> tuple[AssignedLine, ...]:
    """As much of what is ``left`` of each line as ``atp`` covers, in the order of the lines; ``atp`` is used up.

    A unit of a kit is taken whole or not at all, so its components never part.
    """
    taken = []
    for line in lines:
        units = left[line.line]
        for sku, per_unit in wanted_units((_one_of(line),)).items():
            # The scarcest component of a kit limits it.
            units = min(units, atp.get(sku, 0) // per_unit)
        if units <= 0:
            continue
        for sku, per_unit in wanted_units((_one_of(line),)).items():
            atp[sku] -= per_unit * units
        taken.append(AssignedLine(line=line.line, quantity=units))
    return tuple(taken)


def _one_of(line: RequestLine) -> RequestLine:
    return RequestLine(line=line.line, sku=line.sku, quantity=1, components=line.components)
