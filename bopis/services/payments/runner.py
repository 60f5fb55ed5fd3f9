"""The payment runner: requests to calls, each to its gateway, and answers to messages.

All retrying is decided by the payment; here a call is made once. Whoever drives it (a worker, the simulation) brings
the clock, and begins the calls that `lanes` lets go.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from zlib import crc32

import msgspec

from bopis.domain.message import Message
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayCall, MethodKind
from bopis.domain.payments.messages import CallAnswered
from bopis.domain.values import TEXT_LENGTH_MAX
from bopis.ports import Gateway
from bopis.services.payments.lanes import LaneLimits, Lanes, Verdict
from bopis.services.payments.waiting import Place, WaitingCall
from bopis.wire.errors import WireError
from bopis.wire.payments import PAYMENT_CALLS, PAYMENTS

NAME = "payment-runner"
IN_STORE = "in_store"
NO_GATEWAY = "no_gateway"
BROKEN = "adapter_broken"
UNREADABLE = "answer_unreadable"
# The setting by which each gateway is set up.
SETTINGS = {"fake": "set payment_gateway_url", "stripe": "set stripe_key_file"}


class GatewayBook(Protocol):
    """The gateways of an installation."""

    @property
    def names(self) -> Sequence[str]: ...

    def named(self, name: str) -> Gateway:
        """A gateway by its name."""
        ...

    async def close(self) -> None: ...


class PaymentRunner:
    """Calls to the gateways of an installation. ``default`` is the one that is asked where a method names none; empty:
    there is none."""

    def __init__(self, gateways: GatewayBook, default: str, limits: LaneLimits) -> None:
        self._gateways = gateways
        self._default = default
        lives = {name: gateways.named(name).capabilities.key_life_s * 1000 for name in gateways.names}
        self.lanes = Lanes(limits, lives)
        self._lane_names = frozenset(lives)

    def take(self, value: bytes, place: Place, now_ms: int, *, perhaps_sent: bool) -> Verdict | None:
        """Take a request into its lane; one to a gateway that is not set up is answered at once. Raises `WireError`."""
        requested: CallRequested = PAYMENT_CALLS.decode(value).data
        name = self._gateway_of(requested.call)
        waiting = WaitingCall(requested, name, place, perhaps_sent=perhaps_sent)
        if name not in self._lane_names:
            return Verdict(waiting, self._not_set_up(name))
        self.lanes.add(waiting, now_ms)
        return None

    async def call(self, waiting: WaitingCall) -> GatewayAnswer:
        """Make a call, once. An adapter that breaks leaves its call unknown."""
        try:
            return await self._gateways.named(waiting.gateway).call(waiting.requested.call)
        except Exception as error:
            # Only the error's type: its text could hold what was sent.
            name = error.__class__.__name__
            return GatewayAnswer(
                outcome=CallOutcome.UNKNOWN, code=BROKEN, cause=f"the gateway's adapter failed: {name}"
            )

    async def close(self) -> None:
        """Close the gateways' connections."""
        await self._gateways.close()

    def _gateway_of(self, call: GatewayCall) -> str:
        return call.gateway or (IN_STORE if call.kind is MethodKind.PAY_IN_STORE else self._default)

    def _not_set_up(self, name: str) -> GatewayAnswer:
        cause = "no payment gateway is set up; set payment_gateway"
        if name:
            hint = SETTINGS.get(
                name, f"the payment method names it, and there are {', '.join(sorted(self._lane_names))}"
            )
            cause = f"the gateway {name} is not set up: {hint}"
        return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED, code=NO_GATEWAY, cause=cause[:TEXT_LENGTH_MAX])


def answer_record(verdict: Verdict, now_ms: int) -> bytes:
    """The answer for the topic `payments`. One that the topic would refuse is published as unknown instead."""
    waiting, answer = verdict
    try:
        value = PAYMENTS.encode(answer_message(waiting, answer, now_ms))
        PAYMENTS.decode(value)
    except (WireError, msgspec.MsgspecError):
        unknown = GatewayAnswer(outcome=CallOutcome.UNKNOWN, code=UNREADABLE, cause="the adapter's answer is not valid")
        value = PAYMENTS.encode(answer_message(waiting, unknown, now_ms))
    return value


def answer_message(waiting: WaitingCall, answer: GatewayAnswer, now_ms: int) -> Message:
    """The message that carries an answer.

    Its id has a checksum of the answer: after a kill a call may be answered again. The same answer is then a repeat; of
    two different ones, each is decided ("unknown", then what came of it).
    """
    requested = waiting.requested
    body = CallAnswered(
        key=waiting.key,
        attempt=requested.call.attempt,
        operation=waiting.operation,
        request=requested.request,
        answer=answer,
    )
    return Message(
        id=f"{waiting.key}/{requested.request}/{crc32(msgspec.json.encode(answer)):08x}",
        source=NAME,
        time=datetime.fromtimestamp(now_ms / 1000, UTC),
        subject=waiting.order,
        data=body,
        correlation=waiting.order,
    )


def log_facts(verdict: Verdict, ms: int) -> dict[str, Any]:
    """What is logged of a call; never a token, nor the provider's text."""
    waiting, answer = verdict
    requested = waiting.requested
    return {
        "order": waiting.order,
        "attempt": requested.call.attempt,
        "operation": waiting.operation.value,
        "request": requested.request,
        "gateway": waiting.gateway,
        "outcome": answer.outcome.value,
        "code": answer.code,
        "ms": ms,
    }
