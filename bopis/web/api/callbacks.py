"""Callbacks of payment gateways: ``POST /v1/payments/callbacks/GATEWAY``, as `bopis payments listen` takes them."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from anyio import CapacityLimiter
from msgspec import Meta, Struct

from bopis.adapters.gateways.errors import GatewayUnknown
from bopis.adapters.gateways.installed import installed_gateways
from bopis.adapters.gateways.listener import BODY_BYTES_MAX, take_in_thread
from bopis.adapters.gateways.registry import Gateways
from bopis.ports import Gateway
from bopis.services.payments.book import AttemptName
from bopis.services.payments.callbacks import CallbackIntake, CallbackResult
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import TITLES, Problem
from bopis.web.site import Site

TAG = "payments"
# A log that is away keeps each of them waiting: the threads of other requests are not for them.
AT_ONCE_MAX = 16
WAITING_MAX = 64


class CallbackPath(Struct, frozen=True, kw_only=True):
    """The gateway by its name in the settings."""

    gateway: Annotated[str, Meta(min_length=1, max_length=64)]


class CallbackTaken(Struct, frozen=True, kw_only=True):
    """How many reports of the callback went to payments, and how many were parked: they name no order of ours."""

    taken: int
    parked: int


class GatewayCallbacks:
    """Takes the callbacks of the gateways of the settings, which are opened for the first one."""

    def __init__(self, site: Site) -> None:
        self.limiter = CapacityLimiter(AT_ONCE_MAX)
        self._site = site
        self._gateways: Gateways | None = None
        self._opening = threading.Lock()
        self._intake = CallbackIntake(self._named, site.publisher, lambda: datetime.now(UTC), self._find)
        site.at_close(self.close)

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        """Take one; blocks until the log has it. Raises the errors of the log and of gateways that cannot be used."""
        with self._opening:
            if self._gateways is None:
                self._gateways = installed_gateways(self._site.settings)
        return self._intake.take(name, headers, body)

    async def close(self) -> None:
        """Close the gateways."""
        if self._gateways is not None:
            await self._gateways.close()

    def _named(self, name: str) -> Gateway | None:
        assert self._gateways is not None
        try:
            return self._gateways.named(name)
        except GatewayUnknown:
            return None

    def _find(self, gateway: str, reference: str) -> AttemptName | None:
        """The attempt of a gateway's reference, for reports that name no order."""
        with self._site.desk() as desk:
            desk.payments.refresh()
            return desk.payments.attempt_of(gateway, reference)


async def receive(call: Call) -> CallbackTaken:
    """A callback of a payment gateway. The signature over the body as it came is its credential; neither session nor
    key is needed. It is answered with 200 once the log has it, also when it comes again, and with 503 while it cannot
    be written: then the gateway sends it again. One that names no order of ours becomes a dead letter."""
    callbacks = call.site.keep(GatewayCallbacks)
    if callbacks.limiter.statistics().tasks_waiting >= WAITING_MAX:
        raise _not_taken()
    taken = await take_in_thread(
        callbacks.take, call.params.gateway, call.request.headers, call.body, callbacks.limiter
    )  # fmt: skip
    if taken is None:
        raise _not_taken()
    if taken.refusal:
        # A gateway's own refusals are those of a request that is malformed, unless the API has a word for them.
        status = taken.status if taken.status in TITLES else HTTPStatus.BAD_REQUEST
        raise Problem(status, f"callback-{taken.refusal.replace('_', '-')}", "The callback is refused.")
    return CallbackTaken(taken=taken.published, parked=taken.parked)


def _not_taken() -> Problem:
    return Problem(503, "callback-not-taken", "It could not be written; send it again.", retry_after_s=5)


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/payments/callbacks/{gateway}", handle=receive, right=None, tag=TAG,
        summary="Callback of a payment gateway", params=CallbackPath, answer=CallbackTaken, raw_body=True,
        is_signed=True, body_bytes_max=BODY_BYTES_MAX, statuses=(401, 404, 503),
    ),
)  # fmt: skip
