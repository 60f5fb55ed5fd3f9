"""The gateways of an installation by name."""

from collections.abc import Callable, Mapping, Sequence

from bopis.adapters.gateways.config import GatewayConfig, GatewayKind
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayUnknown
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.stripe_gateway import StripeGateway
from bopis.domain.payments.gateway import (
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    GatewayCall,
    MethodKind,
    Operation,
    PaymentMethod,
)
from bopis.ports import CallbackAnswer, Gateway, GatewayPage

IN_STORE = "in_store"
IN_STORE_OFFERED = Capabilities(multicapture=True, adjust=True, close=True, find_by_key=True)
NOT_FOUND = 404


class InStoreGateway:
    """Payment in the store: a promise that the till redeems.

    No money moves here, so every step is done at once, and nothing is kept: the order's books are the only ones.
    """

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config

    @property
    def capabilities(self) -> Capabilities:
        """What it offers."""
        return self._config.capabilities or IN_STORE_OFFERED

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


ADAPTERS: Mapping[GatewayKind, Callable[[GatewayConfig], Gateway]] = {
    GatewayKind.FAKE: FakeGateway,
    GatewayKind.STRIPE: StripeGateway,
    GatewayKind.IN_STORE: InStoreGateway,
}


class Gateways:
    """The gateways of an installation. Payment in the store is always among them.

    The first one is asked where a payment method names none. Raises `GatewayError` for one that cannot be used.
    """

    def __init__(self, configs: Sequence[GatewayConfig]) -> None:
        self._by_name: dict[str, Gateway] = {}
        for config in configs:
            if not config.name or config.name in self._by_name:
                raise GatewayMisconfigured(name=config.name, cause="its name is empty or there twice")
            self._by_name[config.name] = ADAPTERS[config.kind](config)
        self._first = next(iter(self._by_name), IN_STORE)
        self._by_name.setdefault(IN_STORE, InStoreGateway(GatewayConfig(name=IN_STORE, kind=GatewayKind.IN_STORE)))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the one that is asked by default first."""
        return tuple(self._by_name)

    def named(self, name: str) -> Gateway:
        """A gateway by name; the first one for an empty name. Raises `GatewayUnknown`."""
        gateway = self._by_name.get(name or self._first)
        if gateway is None:
            raise GatewayUnknown(name=name, known=", ".join(self.names))
        return gateway

    def name_for(self, method: PaymentMethod) -> str:
        """The name of the gateway that a payment method is asked at. Raises `GatewayUnknown`."""
        by_kind = IN_STORE if method.kind is MethodKind.PAY_IN_STORE else self._first
        name = method.gateway or by_kind
        self.named(name)
        return name

    async def close(self) -> None:
        """Close all of them."""
        for gateway in self._by_name.values():
            await gateway.close()
