"""The client of the fake gateway."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayUnavailable
from bopis.adapters.gateways.fake_callbacks import CallbackBody
from bopis.adapters.gateways.fake_server import BY_KEY, KEY_HEADER, STATUSES
from bopis.adapters.gateways.network import REFUSALS, Connections, answer_to_error, answer_to_refusal, timeouts
from bopis.adapters.gateways.signatures import (
    BAD_REQUEST,
    ID_HEADER,
    UNREADABLE,
    callback_keys,
    lower_case,
    standard_refusal,
)
from bopis.domain.payments.gateway import (
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    GatewayCall,
    GatewayEntry,
    Operation,
)
from bopis.ports import CallbackAnswer, GatewayPage

# What may be done with one authorisation stands in the answer that made it.
OFFERED = Capabilities(
    multicapture=True,
    overcapture=True,
    adjust=True,
    close=True,
    async_results=True,
    find_by_key=True,
    listing=True,
)
ANSWERED = frozenset({200, *STATUSES.values()})


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Part of the gateway's list."""

    entries: tuple[GatewayEntry, ...]
    cursor: str | None = None


class CallbackType(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of a callback, read before its body."""

    type: str = ""


class FakeGateway:
    """Speaks to a fake gateway. Raises `GatewayMisconfigured` for an address or a secret that cannot be used."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._keys = callback_keys(config.name, config.callback_secrets)
        if not config.url.startswith(("http://", "https://")):
            raise GatewayMisconfigured(name=config.name, cause=f"its url {config.url!r} is none")
        self._url = config.url.rstrip("/")
        self._timeouts = timeouts(config).as_dict()
        self._connections = Connections(config)

    @property
    def capabilities(self) -> Capabilities:
        """What it offers."""
        return self._config.capabilities or OFFERED

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        """Do one call, once."""
        try:
            response = await self._connections.send(self._request(call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return answer_to_error(error, call.reference)
        return _answer(response, call)

    async def entries(self, since_ms: int, cursor: str | None = None) -> GatewayPage:
        """Its list of authorisations. Raises `GatewayUnavailable`."""
        query: dict[str, Any] = {"since": since_ms, **({"cursor": cursor} if cursor else {})}
        try:
            response = await self._connections.send(self._get("/authorisations", query))
            response.raise_for_status()
            page = msgspec.json.decode(response.content, type=Entries)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
            raise GatewayUnavailable(name=self._config.name, cause=str(error) or type(error).__name__) from error
        return GatewayPage(page.entries, page.cursor)

    def callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> CallbackAnswer:
        """Check a callback's signature, then read it. Never raises."""
        refusal = standard_refusal(headers, body, self._keys, now_ms)
        if refusal:
            return CallbackAnswer(BAD_REQUEST, refusal=refusal)
        event = lower_case(headers)[ID_HEADER]
        try:
            if not msgspec.json.decode(body, type=CallbackType).type.startswith("payment."):
                return CallbackAnswer(200, event)
            report = msgspec.json.decode(body, type=CallbackBody).report
        except (msgspec.DecodeError, RecursionError):
            return CallbackAnswer(BAD_REQUEST, event, refusal=UNREADABLE)
        return CallbackAnswer(200, event, (report,))

    async def close(self) -> None:
        """Close its connections."""
        await self._connections.close()

    def _request(self, call: GatewayCall) -> httpx.Request:
        ref = quote(call.reference, safe="")
        if call.operation is Operation.FIND:
            if ref:
                return self._get(f"/authorisations/{ref}", {})
            return self._get("/authorisations", {"key": call.authorisation or call.key})
        path = f"/authorisations/{ref or BY_KEY}/{call.operation.value}"
        if call.operation is Operation.AUTHORISE:
            path = "/authorisations"
        elif call.operation is Operation.CLOSE:
            path = "/close"
        headers = {"content-type": "application/json", KEY_HEADER: call.key}
        return httpx.Request(
            "POST",
            self._url + path,
            content=msgspec.json.encode(call),
            headers=headers,
            extensions={"timeout": self._timeouts},
        )

    def _get(self, path: str, query: dict[str, Any]) -> httpx.Request:
        return httpx.Request("GET", self._url + path, params=query, extensions={"timeout": self._timeouts})


def _answer(response: httpx.Response, call: GatewayCall) -> GatewayAnswer:
    status = response.status_code
    if status in REFUSALS:
        code = _decoded(response, GatewayAnswer(outcome=CallOutcome.NOT_SENT)).code
        return answer_to_refusal(status, response.headers, code)
    unknown = GatewayAnswer(outcome=CallOutcome.UNKNOWN, code=f"http_{status}", reference=call.reference)
    return _decoded(response, unknown) if status in ANSWERED else unknown


def _decoded(response: httpx.Response, otherwise: GatewayAnswer) -> GatewayAnswer:
    """The answer in a body. One that cannot be read tells nothing, though the call may have been done."""
    try:
        return msgspec.json.decode(response.content, type=GatewayAnswer)
    except (msgspec.DecodeError, RecursionError):
        return otherwise
