"""The way to the bank and back: calls and answers that are late or lost, reports that are late, repeated or reordered,
and gateways that are away for minutes."""

from datetime import UTC, datetime
from random import Random

from bopis.domain.message import Message
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayCall, GatewayReport
from bopis.domain.payments.messages import ProviderReported
from bopis.wire.payments import PAYMENTS
from tests.simulation.bank import ON_ITS_WAY_MS, Delayed, Ledger
from tests.simulation.log import Log

TOPIC = "payments"
NOTHING_SENT = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="not_connected")
BUSY = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="rate_limited", wait_ms=2_000)
NO_ANSWER = GatewayAnswer(outcome=CallOutcome.UNKNOWN, code="no_answer")


class Gateways:
    """Both gateways, and everything that is on its way from and to them."""

    def __init__(self, log: Log) -> None:
        self.ledger = Ledger(log)
        self.away_ms: dict[str, int] = {}
        self._log = log
        self._delayed: list[Delayed] = []
        self._said = 0

    def call(self, gateway: str, call: GatewayCall, dice: Random | None) -> GatewayAnswer:
        """Make a call; without dice nothing goes wrong."""
        self._land(overdue=True)
        if dice is None:
            return self.ledger.handle(gateway, call, None)
        chance = dice.random()
        if self.away_ms.get(gateway, 0) > self._log.now_ms:
            return NOTHING_SENT if chance < 0.7 else NO_ANSWER
        if chance < 0.05:
            return NOTHING_SENT if chance < 0.03 else BUSY
        if chance < 0.09:
            return NO_ANSWER
        if chance < 0.13:
            self.delay(gateway, call, self._log.now_ms)
            return NO_ANSWER
        answer = self.ledger.handle(gateway, call, dice)
        return NO_ANSWER if chance < 0.18 else answer

    def delay(self, gateway: str, call: GatewayCall, sent_ms: int) -> None:
        """A call arrives later; nobody waits for what is answered."""
        self._delayed.append(Delayed(gateway, call, sent_ms))

    def act(self, dice: Random) -> None:
        """One thing that a bank does by itself."""
        self._land(overdue=True)
        ledger, chance = self.ledger, dice.random()
        if ledger.reports and chance < 0.5:
            self._deliver(dice)
            return
        if self._delayed and chance < 0.7:
            late = self._delayed.pop(dice.randrange(len(self._delayed)))
            ledger.handle(late.gateway, late.call, dice, late.at_ms)
            return
        made = [it for it in ledger.transfers.values() if it.coming or it.review or it.returned or it.open]
        if not made:
            return
        chosen = dice.choice(made)
        if chosen.coming:
            ledger.finish(chosen, next(iter(chosen.coming)), dice.random())
        elif chosen.review and dice.random() < 0.3:
            ledger.end_review(chosen.call.key, is_fine=dice.random() < 0.75)
        elif chosen.returned and dice.random() < 0.3:
            ledger.bounce(chosen, next(iter(chosen.returned)))
        elif chosen.open and not chosen.posted and dice.random() < 0.01:
            ledger.lose(chosen)

    def heal(self, dice: Random) -> None:
        """Everybody is there, and nothing waits for people any more."""
        self.away_ms.clear()
        for key, made in self.ledger.transfers.items():
            if made.review:
                self.ledger.end_review(key, is_fine=dice.random() < 0.75)

    def rest(self) -> None:
        """Everything arrives and is done."""
        self._land(overdue=False)
        for made in self.ledger.transfers.values():
            while made.coming:
                self.ledger.finish(made, next(iter(made.coming)), 1.0)
        while self.ledger.reports:
            self._say(self.ledger.reports.pop(0))

    def _land(self, *, overdue: bool) -> None:
        limit_ms = self._log.now_ms - ON_ITS_WAY_MS if overdue else self._log.now_ms
        due = [it for it in self._delayed if it.at_ms <= limit_ms]
        if due:
            self._delayed = [it for it in self._delayed if it.at_ms > limit_ms]
            for it in due:
                self.ledger.handle(it.gateway, it.call, None, it.at_ms)

    def _deliver(self, dice: Random) -> None:
        """In any order, but of one step in their own: a gateway numbers them."""
        reports = self.ledger.reports
        chosen = dice.choice(reports)
        report = next(it for it in reports if it.key == chosen.key and it.order == chosen.order)
        reports.remove(report)
        record = self._say(report)
        if dice.random() < 0.2:
            self._log.put(TOPIC, report.order.encode(), record)

    def _say(self, report: GatewayReport) -> bytes:
        self._said += 1
        message = Message(
            id=f"event-{self._said}",
            source="bank",
            time=datetime.fromtimestamp(self._log.now_ms / 1000, UTC),
            subject=report.order,
            data=ProviderReported(gateway="", report=report),
            correlation=report.order,
        )
        value = PAYMENTS.encode(message)
        self._log.put(TOPIC, report.order.encode(), value)
        return value
