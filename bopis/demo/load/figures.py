"""What a load measures, and its report."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from bopis.quantiles import quantile


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds from sending to the answer; None without an answer."""

    count: int
    p50_ms: float | None
    p99_ms: float | None
    most_ms: float | None


class LoadReport(Struct, frozen=True, kw_only=True):
    """The result of a load.

    `sold`: until the log has a basket; `readable`: until it is in the read side; `promised`: from placing an order to
    its promise; `staff`: a command of the staff to its event. `refusals` counts refused commands, and `cancelled`
    orders that no store could serve, by reason. `unanswered` is what had no answer when the wait for it ended, `lost`
    what the log did not accept. `behind_s` is how late the last message was sent: above a second, this machine could
    not send at the rate that was asked for.
    """

    seconds: float
    stores: int
    baskets: int
    lines: int
    baskets_per_s: float
    orders: int
    orders_per_s: float
    handed_over: int
    sold: Latency
    readable: Latency
    promised: Latency
    staff: Latency
    refusals: dict[str, int]
    cancelled: dict[str, int]
    unanswered: int
    lost: int
    behind_s: float

    @property
    def ok(self) -> bool:
        """Whether everything was accepted and answered, and nothing refused."""
        return not (self.lost or self.unanswered or self.refusals or self.cancelled)


class LoadFigures(Struct, kw_only=True):
    """The figures of a load under way. Each is written by one thread."""

    baskets: int = 0
    lines: int = 0
    orders: int = 0
    handed_over: int = 0
    lost: int = 0
    behind_s: float = 0.0
    sold_ms: list[float] = field(default_factory=list)
    readable_ms: list[float] = field(default_factory=list)
    promised_ms: list[float] = field(default_factory=list)
    staff_ms: list[float] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)

    def report(self, seconds: float, stores: int, unanswered: int) -> LoadReport:
        """The report of a load that sent for so many seconds."""
        return LoadReport(
            seconds=round(seconds, 2),
            stores=stores,
            baskets=self.baskets,
            lines=self.lines,
            baskets_per_s=round(self.baskets / seconds, 1),
            orders=self.orders,
            orders_per_s=round(self.orders / seconds, 1),
            handed_over=self.handed_over,
            sold=latency(self.sold_ms),
            readable=latency(self.readable_ms),
            promised=latency(self.promised_ms),
            staff=latency(self.staff_ms),
            refusals=dict(self.refusals.most_common()),
            cancelled=dict(self.cancelled.most_common()),
            unanswered=unanswered,
            lost=self.lost,
            behind_s=round(self.behind_s, 2),
        )


def latency(values: Sequence[float]) -> Latency:
    """The latencies of a step."""
    shares = {"p50_ms": 0.50, "p99_ms": 0.99, "most_ms": 1.0}
    found = {name: quantile(values, share) for name, share in shares.items()}
    return Latency(count=len(values), **{name: None if it is None else round(it, 1) for name, it in found.items()})
