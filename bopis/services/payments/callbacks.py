"""Gateways' callbacks: a checked one becomes messages on `payments`, and is answered when the log has them.

A message's id follows from the gateway and the callback's own id, so a callback that comes again changes nothing. What
names no order is parked as a dead letter and answered as taken: its gateway should not send it for days.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from bopis.domain.message import Message
from bopis.domain.payments.gateway import GatewayReport
from bopis.domain.payments.messages import ProviderReported
from bopis.domain.values import ID_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.names import DEAD_LETTERS_TOPIC, PAYMENTS_TOPIC
from bopis.ports import CallbackAnswer, Gateway, PendingDelivery, Publisher
from bopis.services.payments.book import AttemptName
from bopis.wire.errors import WireError
from bopis.wire.payments import PAYMENTS

PROCESSOR = "callbacks"
TAKEN = 200
NO_GATEWAY = 404
UNNAMED = "-"  # the order of a report whose gateway names none

# Finds an attempt by the name of its gateway and by its reference there.
FindAttempt = Callable[[str, str], AttemptName | None]


class CallbackResult(NamedTuple):
    """How a callback is answered, and what became of it: how many reports were published and parked, or its refusal."""

    status: int
    published: int = 0
    parked: int = 0
    refusal: str = ""


class CallbackIntake:
    """Takes callbacks of the gateways of an installation. Calls block until the log has acknowledged."""

    def __init__(
        self,
        gateways: Callable[[str], Gateway | None],
        publisher: Publisher,
        now: Callable[[], datetime],
        find: FindAttempt | None = None,
    ) -> None:
        """``gateways`` finds one by name; ``find`` the attempt of a gateway's reference, for reports that name no order
        (a review at Stripe)."""
        self._gateways = gateways
        self._publisher = publisher
        self._now = now
        self._find = find

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        """Check one callback of a gateway and publish its reports. Raises the errors of a failed delivery: then it is
        not answered as taken, and the gateway sends it again."""
        gateway = self._gateways(name)
        if gateway is None:
            return CallbackResult(NO_GATEWAY, refusal="unknown_gateway")
        now = self._now()
        answer = gateway.callback(headers, body, int(now.timestamp() * 1000))
        if answer.refusal or not TAKEN <= answer.status < TAKEN + 100:
            return CallbackResult(answer.status, refusal=answer.refusal)
        return self._publish(name, answer, now)

    def _publish(self, name: str, answer: CallbackAnswer, now: datetime) -> CallbackResult:
        deliveries = []
        parked = 0
        for number, report in enumerate(answer.reports):
            named = self._named(name, report)
            message = Message(
                id=f"{answer.event}#{number}",
                source=f"gateway/{name}"[:ID_LENGTH_MAX],
                time=now.astimezone(UTC),
                subject=named.order,
                data=ProviderReported(gateway=name, report=named),
                correlation=named.order,
            )
            cause = _problem(message)
            if cause:
                parked += 1
                deliveries.append(self._park(name, answer.event, named, cause))
            else:
                value = PAYMENTS.encode_trusted(message)
                deliveries.append(self._publisher.publish(PAYMENTS_TOPIC, named.order, value))
        # After every record was sent, so that they wait together.
        for delivery in deliveries:
            delivery.wait()
        return CallbackResult(answer.status, len(deliveries) - parked, parked)

    def _named(self, name: str, report: GatewayReport) -> GatewayReport:
        """A report under the order and attempt of its reference, where its gateway names no order."""
        if report.order and report.order != UNNAMED:
            return report
        found = self._find(name, report.reference) if self._find is not None and report.reference else None
        if found is None:
            return msgspec.structs.replace(report, order=UNNAMED)
        return msgspec.structs.replace(report, order=found.order, attempt=found.attempt)

    def _park(self, name: str, event: str, report: GatewayReport, cause: str) -> PendingDelivery:
        """Publish a report that cannot be one of our payments' as a dead letter: the report, never the callback's body,
        which has data of a customer who may be a stranger."""
        facts = {"cause": f"{cause} ({name}, {event})", "processor": PROCESSOR}
        headers = [(header, value.encode()) for header, value in facts.items()]
        key = report.order[:STORE_LENGTH_MAX]
        return self._publisher.publish(DEAD_LETTERS_TOPIC, key, msgspec.json.encode(report), headers=headers)


def _problem(message: Message) -> str:
    """Why a report cannot be a message to a payment; empty when it can."""
    if message.subject == UNNAMED:
        return "unknown payment: the report names no order"
    try:
        PAYMENTS.encode(message)
    except WireError as error:
        return f"{type(error).__name__}: {error}"
    return ""
