"""The settings of one gateway, as plain values that any source of settings can fill."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.payments.gateway import Capabilities


class GatewayKind(StrEnum):
    """Kind of a gateway: which adapter speaks to it."""

    FAKE = "fake"
    STRIPE = "stripe"
    IN_STORE = "in_store"


class GatewayConfig(Struct, frozen=True, kw_only=True):
    """One gateway of an installation.

    ``api_key`` is the provider's secret key. ``callback_secrets`` are the secrets that sign callbacks: the new one and,
    while they change, the old one. ``return_url`` is where a customer comes back to after a challenge.
    ``capabilities`` replace the adapter's own, for accounts that may do more, or less. How often a gateway is called
    is the runner's to keep (`bopis.services.payments.lanes`).
    """

    name: str
    kind: GatewayKind = GatewayKind.FAKE
    url: str = ""
    api_key: str = ""
    callback_secrets: tuple[str, ...] = ()
    timeout_s: float = 15.0
    connect_timeout_s: float = 3.0
    # 200 checkouts a second at 1.6 s each are 320 calls in flight; the library's own limit is 100.
    connections_max: int = 500
    return_url: str = ""
    capabilities: Capabilities | None = None

    def __repr__(self) -> str:
        # Logs and tracebacks show values; secrets are not for them.
        return f"GatewayConfig(name={self.name!r}, kind={self.kind.value!r}, url={self.url!r})"
