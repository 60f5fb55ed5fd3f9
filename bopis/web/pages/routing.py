"""The routing lab: a candidate rule set beside the present one, over past orders."""

import tomllib
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import epoch_ms
from bopis.services.routing import rules_comparison
from bopis.services.routing.history import read_past_decisions
from bopis.services.routing.rules_comparison import RuleSetFigures
from bopis.services.routing.rules_file import read_rules, rules_of, written
from bopis.web.pages.fields import whole_number
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import Site

DAYS = (1, 7, 30, 90)
DAYS_MAX = 365
DECISIONS_MAX = 50_000


class LabQuery(Struct, frozen=True, kw_only=True):
    """The page without a comparison."""

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 7


class Comparison(Struct, frozen=True, kw_only=True):
    """Figures side by side. `differing` decisions were made by another version of the code, and `one_store` of them
    know one store only, so that no rule could choose another one."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    decisions: int
    differing: int
    one_store: int


def cell_text(name: str, figures: RuleSetFigures) -> str:
    """A figure as `bopis routing simulate` prints it."""
    value = getattr(figures, name)
    if value is None:
        return "–"
    if name == "fill":
        return f"{value / 10:.1f} %"
    if name == "promise_kept":
        return f"{value / 10:.1f} % of {figures.promises_known}"
    return {"metres_mean": f"{value / 1000:.1f} km", "promise_minutes_mean": f"{value} min"}.get(name, f"{value:,}")


def parsed(text: str) -> RuleSet:
    """The rule set in a TOML text. Raises `Problem` with what is wrong and where."""
    if not text.strip():
        raise Problem(422, "rules-missing", "Paste a rule set, or choose a file.")
    try:
        return rules_of(text)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise Problem(422, "rules-invalid", f"The rule set cannot be used: {error}.") from error


async def show(call: PageCall) -> Response:
    """The lab with the present rules, ready to be changed."""
    return await _page(call, Shown(days=call.params.days))


async def compare(call: PageCall) -> Response:
    """Decide past orders again by the candidate rules, and by the present ones."""
    text, days = call.field("rules"), call.field("days", "7")
    span = whole_number(days, DAYS_MAX) or 7
    try:
        candidate = parsed(text)
    except Problem as problem:
        return await _page(call, Shown(rules=text, days=span, refusal=problem.detail), problem.status)
    found = await call.site.in_thread(_compared, call.site, candidate, span)
    if found is None:
        note = f"No order was routed in the last {span} days; choose a longer time."
        return await _page(call, Shown(rules=text, days=span, note=note))
    return await _page(call, Shown(rules=text, days=span, comparison=found))


def _compared(site: Site, candidate: RuleSet, days: int) -> Comparison | None:
    since = site.now() - timedelta(days=days)
    with site.desk() as desk:
        past = read_past_decisions(desk.reader, epoch_ms(since))[-DECISIONS_MAX:]
    if not past:
        return None
    present = read_rules(site.settings.routing_rules)
    columns = {
        "as decided": rules_comparison.as_decided(past),
        f"present: {present.name} v{present.version}": rules_comparison.simulate(past, present),
        f"candidate: {candidate.name} v{candidate.version}": rules_comparison.simulate(past, candidate),
    }
    return Comparison(
        columns=tuple(columns),
        rows=tuple(
            (label, tuple(cell_text(name, it) for it in columns.values())) for label, name in rules_comparison.FIGURES
        ),
        decisions=len(past),
        differing=rules_comparison.not_repeatable(past),
        one_store=sum(len(it.decision.facts) < 2 for it in past),
    )


class Shown(Struct, frozen=True, kw_only=True):
    """What the page shows besides the present rules: the candidate as text, and the result of comparing it."""

    rules: str = ""
    days: int = 7
    note: str = ""
    refusal: str = ""
    comparison: Comparison | None = None


async def _page(call: PageCall, shown: Shown, status: int = 200) -> Response:
    present = await call.site.in_thread(read_rules, call.site.settings.routing_rules)
    return call.page(
        "routing.html", status, present=written(present), present_name=f"{present.name} v{present.version}",
        shown=shown, rules=shown.rules or written(present), spans=DAYS,
    )  # fmt: skip


PAGES = (
    Page(path="/routing", show=show, right=Right.PAGES_HQ, params=LabQuery),
    Page(path="/routing", show=compare, right=Right.PAGES_HQ, method="POST"),
)
