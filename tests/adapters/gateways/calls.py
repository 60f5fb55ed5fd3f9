"""Calls and gateways that the suites of this folder share."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.adapters.gateways.fake_server import FakeServer
from bopis.domain.payments.gateway import GatewayCall, Operation, call_key

SECRET = "whsec_" + base64.b64encode(b"x" * 24).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"y" * 24).decode()


def call(operation: Operation = Operation.AUTHORISE, order: str = "O-1", **changes: Any) -> GatewayCall:
    """A call as the runner makes it; `number` tells repeated steps of one kind apart."""
    number, attempt = changes.pop("number", 1), changes.get("attempt", 1)
    made = GatewayCall(
        key=call_key(order, attempt, operation, number),
        order=order,
        attempt=attempt,
        operation=operation,
        gateway="fake",
        amount=1000,
        currency="EUR",
        authorisation=call_key(order, attempt, Operation.AUTHORISE),
        token="tok_ok",
    )
    return replace(made, **changes)


class Clock:
    """A clock that is turned by hand."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class FakePair:
    """A fake gateway and its client."""

    def __init__(self, server: FakeServer, gateway: FakeGateway) -> None:
        self.server = server
        self.gateway = gateway

    @property
    def bank(self) -> Any:
        return self.server.bank


@contextlib.asynccontextmanager
async def fake_pair(options: FakeOptions | None = None, **changes: Any) -> AsyncIterator[FakePair]:
    """A running fake gateway, and a client that gives up soon."""
    async with FakeServer(options, **changes) as server:
        gateway = FakeGateway(
            GatewayConfig(name="fake", url=server.url, callback_secrets=(SECRET, OLD_SECRET), timeout_s=1.0)
        )
        try:
            yield FakePair(server, gateway)
        finally:
            await gateway.close()
