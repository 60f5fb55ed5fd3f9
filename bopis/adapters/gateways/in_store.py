"""Payment in the store: a promise that the till redeems. No money moves here, so every step is done at once."""

from collections.abc import Mapping

from bopis.adapters.gateways.config import GatewayConfig
from bopis.domain.payments.gateway import CallOutcome, Capabilities, GatewayAnswer, GatewayCall, Operation
from bopis.ports import CallbackAnswer, GatewayPage

OFFERED = Capabilities(multicapture=True, adjust=True, close=True, find_by_key=True)
NOT_FOUND = 404


class InStoreGateway:
    """Notes what is to be paid at the counter. It keeps nothing: the books of the order are its only books."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config

    @property
    def capabilities(self) -> Capabilities:
        """What it offers."""
        return self._config.capabilities or OFFERED

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        """Do one call: it always succeeds."""
        reference = call.reference or call.authorisation or call.key
        is_released = call.operation in (Operation.VOID, Operation.CLOSE)
        return GatewayAnswer(
            outcome=CallOutcome.VOIDED if is_released else CallOutcome.APPROVED,
            amount=call.amount,
            currency=call.currency,
            reference=reference,
            multicapture=True,
            adjustable=True,
        )

    async def entries(self, since_ms: int, cursor: str | None = None) -> GatewayPage:  # noqa: ARG002  (it keeps none)
        """An empty page: there is no other side to compare with."""
        return GatewayPage((), None)

    def callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> CallbackAnswer:  # noqa: ARG002  (refused)
        """Refuse a callback: a counter sends none."""
        return CallbackAnswer(NOT_FOUND, refusal="bad_signature")

    async def close(self) -> None:
        """Nothing is open."""
