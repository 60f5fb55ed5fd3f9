"""`bopis agent check FILE --mapping M`: the baskets of a till file, and its rejects, each with its cause."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import asdict
from rich.console import Console

from bopis.adapters.barcodes import gtin14
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import InvalidInput
from bopis.cli.app.render import counted, instant, iso, print_line, signed, table
from bopis.domain.inventory.outcomes import Outcome, Remembered, outcome_of, remember
from bopis.services.till_files.baskets import ReadBasket
from bopis.services.till_files.facts import Missing, NotStock, Pending, Rejected, Repeated, Warned
from bopis.services.till_files.mapping_file import read_mapping
from bopis.services.till_files.reader import TillFact, read_till_file

SHOWN_MAX = 20
BASKETS_IN_JSON_MAX = 10_000
OF_BASKETS = (Outcome.NEW, Outcome.DUPLICATE, Outcome.CHANGED, Outcome.EMPTY)


class Findings:
    """The facts of a file, counted; the first ones of each kind are kept."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.units: dict[str, dict[str, int]] = {}
        self.baskets: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.missing: list[dict[str, Any]] = []
        self._known: dict[str, Remembered] = {}

    def take(self, fact: TillFact) -> None:
        """Count one fact."""
        match fact:
            case ReadBasket():
                self._basket(fact)
            case Rejected():
                self._keep(self.rejected, "rejected", line=fact.line, cause=fact.cause, text=fact.text)
            case NotStock():
                self.counts["not_stock"] += 1
                self.reasons[fact.why] += 1
            case Warned():
                self._keep(self.warnings, "warnings", line=fact.line, why=fact.why)
            case Repeated():
                self.counts["repeated"] += 1
            case Pending():
                self.counts["pending"] += 1
            case Missing():
                of_till = "till's own numbers" if fact.of_till else "sequence"
                self._keep(self.missing, "missing", device=fact.device, numbers=list(fact.numbers), of=of_till)

    def document(self, file: Path, mapping: str) -> dict[str, Any]:
        """The findings as a JSON document."""
        return {
            "file": str(file),
            "mapping": mapping,
            "baskets": {outcome.value: self.outcomes[outcome] for outcome in OF_BASKETS},
            "units": self.units,
            "lines": self.counts["lines"],
            "rejected": self.counts["rejected"],
            "not_stock": dict(self.reasons.most_common()),
            "repeated": self.counts["repeated"],
            "pending": self.counts["pending"],
            "rejects": self.rejected,
            "warnings": self.warnings,
            "missing": self.missing,
            "booked": self.baskets,
        }

    def _basket(self, basket: ReadBasket) -> None:
        known = self._known.get(basket.key)
        outcome = outcome_of(basket, known)
        self.outcomes[outcome] += 1
        if outcome is Outcome.NEW:
            self._known[basket.key] = remember(basket)
            self.counts["lines"] += len(basket.lines)
            cells = self.units.setdefault(basket.store, {})
            for it in basket.net:
                cells[it.sku] = cells.get(it.sku, 0) + it.units
        if outcome in (Outcome.NEW, Outcome.CHANGED) and len(self.baskets) < BASKETS_IN_JSON_MAX:
            lines = [asdict(it) for it in basket.lines]
            self.baskets.append(
                {
                    "store": basket.store,
                    "basket": basket.basket,
                    "outcome": outcome,
                    "sold_at": iso(basket.at_ms),
                    "at_ms": basket.at_ms,
                    "rejected_lines": basket.rejected,
                    "lines": lines,
                }
            )

    def _keep(self, kept: list[dict[str, Any]], name: str, **values: Any) -> None:
        self.counts[name] += 1
        if len(kept) < BASKETS_IN_JSON_MAX:
            kept.append(values)


def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The till's file; a DSFinV-K folder or zip.")],
    mapping: Annotated[
        str, typer.Option("--mapping", metavar="MAPPING", help="TOML file, or the name of a shipped mapping.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show how a till file would be booked, without sending it: baskets, totals, and each reject with its cause.

    Exit code 5 when a row is rejected.

    Examples:
        bopis agent check sales.csv --mapping my-till.toml
        bopis agent check export.zip --mapping dsfinvk --json
    """
    ctx = open_context(context, as_json)
    stated = read_mapping(mapping)
    found = Findings()
    for fact in read_till_file(file, stated, spelling=_spelling(ctx) if stated.gtin else None):
        found.take(fact)
    document = found.document(file, stated.name)
    for doubt in stated.doubts:
        ctx.note(f"Check: {doubt}")
    ctx.print_result(document, lambda out: _render(out, found, file))
    if found.counts["rejected"]:
        raise typer.Exit(InvalidInput.exit_code)


def _spelling(ctx: CommandContext) -> Any:
    """The spelling of GTINs in the catalogue, if there is one."""
    catalogue = ctx.catalogue
    return lambda digits: catalogue.resolve(digits, gtin14) or ""


def _render(out: Console, found: Findings, file: Path) -> None:
    if found.baskets:
        grid = table("sold", "store", "basket", "outcome", "SKU", "units")
        for it in found.baskets[:SHOWN_MAX]:
            first = (instant(it["at_ms"]), it["store"], it["basket"], str(it["outcome"]))
            for line in it["lines"] or [{"sku": "-", "units": 0}]:
                grid.add_row(*first, line["sku"], signed(line["units"]))
                first = ("", "", "", "")
        out.print(grid)
        if len(found.baskets) > SHOWN_MAX:
            print_line(out, f"... and {len(found.baskets) - SHOWN_MAX:,} more baskets (--json lists them)")
    for it in found.rejected[:SHOWN_MAX]:
        print_line(out, f"{file}:{it['line']}: {it['cause']}")
    if len(found.rejected) > SHOWN_MAX:
        print_line(out, f"... and {len(found.rejected) - SHOWN_MAX:,} more rejects (--json lists them)")
    for it in found.warnings[:SHOWN_MAX]:
        print_line(out, f"{file}:{it['line']}: warning: {it['why']}")
    for it in found.missing[:SHOWN_MAX]:
        print_line(out, f"warning: {it['of']} of {it['device'] or 'the till'}: missing {_numbers(it['numbers'])}")
    for line in _totals(found):
        print_line(out, line)


def _totals(found: Findings) -> list[str]:
    units = sum(count for cells in found.units.values() for count in cells.values())
    lines = [
        f"{counted(found.outcomes[Outcome.NEW], 'basket')} with {counted(found.counts['lines'], 'line')}, "
        f"{counted(units, 'unit')} net; {counted(found.counts['rejected'], 'rejected row')}"
    ]
    if found.reasons:
        reasons = ", ".join(f"{count:,} {why}" for why, count in found.reasons.most_common())
        lines.append(f"no stock: {reasons}")
    others = [
        (found.outcomes[Outcome.DUPLICATE], "repeated basket"),
        (found.outcomes[Outcome.CHANGED], "changed basket"),
        (found.counts["repeated"], "repeated line"),
        (found.counts["pending"], "unfinished line"),
    ]
    lines += [f"{counted(count, name)}, not booked" for count, name in others if count]
    return lines


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN_MAX]))
    return shown + (f" and {len(numbers) - SHOWN_MAX:,} more" if len(numbers) > SHOWN_MAX else "")
