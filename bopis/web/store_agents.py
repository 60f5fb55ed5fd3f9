"""Store agents as pages show them: when each reported last, its clock and queue, and what of it waits for a person."""

from collections.abc import Iterable

from msgspec import Struct

from bopis.domain.inventory.ledger import DriftKind
from bopis.domain.values import MINUTE_MS, epoch_ms
from bopis.readside.queries.ledger import AgentAnswer, store_agents
from bopis.web.pages.inventory import ask
from bopis.web.pages.now_view import Tone, age_text
from bopis.web.pages.page import PageCall
from bopis.web.problems import Problem

SILENT_MS = 10 * MINUTE_MS
CLOCK_WARN_MS = MINUTE_MS
KINDS = {
    DriftKind.MISSING_AT_CENTRE: "in its journal, not in the books",
    DriftKind.MISSING_IN_SHOP: "in the books, not in its journal",
    DriftKind.DIFFERENT: "not alike",
}


class DriftRow(Struct, frozen=True, kw_only=True):
    """One message about which the journal and the books differ."""

    name: str
    id: str
    text: str
    units: str


class AgentRow(Struct, frozen=True, kw_only=True):
    """The agent of one store. `drift` None: its journal was never compared with the books."""

    store: str
    version: str
    state: str
    tone: Tone
    clock: str
    depth: int
    drift: int | None
    rejects: int
    changed: int
    compared: str
    differences: tuple[DriftRow, ...]

    @property
    def work(self) -> str:
        """What waits for a person, in words; empty if nothing does."""
        counts = ((self.drift or 0, "drift"), (self.rejects, "rejected"), (self.changed, "changed"))
        return ", ".join(f"{count:,} {word}" for count, word in counts if count)


def agent_rows(found: Iterable[AgentAnswer], now_ms: int) -> list[AgentRow]:
    """Agents for the pages: those that need a person first, then those that are silent, then by store."""
    rows = [_row(it, now_ms) for it in found]
    return sorted(rows, key=lambda it: (not it.work, it.tone is Tone.NONE, it.store))


async def agents_of(call: PageCall, store: str | None = None) -> list[AgentRow]:
    """The agents of all stores, or of one; none while the read side does not answer."""
    try:
        found = await ask(call, lambda engine: store_agents(engine, store))
    except Problem:
        return []
    return agent_rows(found, call.site.now_ms())


def _row(it: AgentAnswer, now_ms: int) -> AgentRow:
    age_ms = max(0, now_ms - epoch_ms(it.reported_at))
    silent, compared = age_ms > SILENT_MS, it.comparison
    wrong_clock = it.clock_ahead_ms is not None and abs(it.clock_ahead_ms) >= CLOCK_WARN_MS
    return AgentRow(
        store=it.store,
        version=it.version,
        state=f"{'silent for' if silent else 'reported'} {age_text(age_ms)}{'' if silent else ' ago'}",
        tone=Tone.BAD if silent else Tone.WARN if it.needs_attention or wrong_clock else Tone.NONE,
        clock="not known" if it.clock_ahead_ms is None else f"{it.clock_ahead_ms / 1000:+,.1f} s",
        depth=it.depth,
        drift=None if compared is None else it.drift,
        rejects=it.rejects,
        changed=it.changed,
        compared="never" if compared is None else f"{age_text(max(0, now_ms - compared.at_ms))} ago",
        differences=tuple(
            DriftRow(
                name=one.name,
                id=one.id or one.centre_id,
                text=KINDS[one.kind],
                units=", ".join(f"{line.sku} {line.change:+,}" for line in one.lines if line.change),
            )
            for one in it.open_differences
        ),
    )
