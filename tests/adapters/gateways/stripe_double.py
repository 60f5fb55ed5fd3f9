"""A double of the ten endpoints of Stripe that the adapter uses: keys, declines, locks, delays and signed events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DECLINES: dict[str, dict[str, str]] = {
    "tok_soft": {"decline_code": "insufficient_funds", "network_decline_code": "51"},
    "tok_hard": {"decline_code": "transaction_not_allowed"},
    "tok_never": {"decline_code": "generic_decline", "advice_code": "do_not_try_again", "network_decline_code": "R1"},
    "tok_data": {"decline_code": "expired_card", "network_decline_code": "54", "network_advice_code": "01"},
    "tok_technical": {"decline_code": "issuer_not_available", "network_decline_code": "91"},
    "tok_authenticate": {"decline_code": "authentication_required"},
    "tok_tomorrow": {"decline_code": "generic_decline", "network_advice_code": "25"},
    "tok_unheard_of": {"decline_code": "a_new_code"},
}
ENDS_S = 1_800_500_000
NETWORK_ID = "MCC123456"
REVIEW = {"id": "prv_1", "object": "review", "open": True}
WORD = re.compile(r"\w+")


class StripeDouble:
    """Stripe's side. `locked` are ids whose object another call holds; `delays` are seconds by path's last word."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.locked: set[str] = set()
        self.delays: dict[str, float] = {}
        self.failures: dict[str, int] = {}
        self.is_searchable = True
        self.url = ""
        self.now_s = 1_800_000_000

    def app(self) -> Starlette:
        intents = "/v1/payment_intents"
        return Starlette(
            routes=[
                Route(intents, self._serve, methods=["GET", "POST"]),
                Route(f"{intents}/search", self._serve, methods=["GET"]),
                Route(f"{intents}/{{id}}", self._serve, methods=["GET"]),
                Route(f"{intents}/{{id}}/{{action}}", self._serve, methods=["POST"]),
                Route("/v1/refunds", self._serve, methods=["POST"]),
            ]
        )

    def event(self, kind: str, thing: dict[str, Any], secret: str, at_s: int) -> tuple[dict[str, str], bytes]:
        """A signed event, signed by the client library's own code."""
        body = json.dumps({"id": f"evt_{kind}", "object": "event", "type": kind, "data": {"object": thing}})
        header = stripe.WebhookSignature.generate_signature_header(body, secret, at_s)
        return {"Stripe-Signature": header}, body.encode()

    async def _serve(self, request: Request) -> Response:
        raw = (await request.body()).decode() if request.method == "POST" else str(request.query_params)
        params = nested(parse_qsl(raw))
        path = request.url.path
        self.requests.append((request.method, path, params))
        word = path.rsplit("/", 1)[-1]
        status = self.failures.get(word)
        if status:
            return JSONResponse({"error": {"type": "api_error", "message": "down"}}, status, {"retry-after": "2"})
        if request.path_params.get("id") in self.locked and request.method == "POST":
            return error(429, {"type": "invalid_request_error", "code": "lock_timeout"})
        answer = self._once(request, path, raw, params)
        # The effect is there before the answer.
        await asyncio.sleep(self.delays.get(word, 0))
        return answer

    def _once(self, request: Request, path: str, raw: str, params: dict[str, Any]) -> Response:
        key = request.headers.get("idempotency-key", "")
        if request.method == "GET" or not key:
            return self._do(request, params)
        known = self.keys.get(key)
        if known is not None:
            if known[0] != f"{path}?{raw}":
                return error(400, {"type": "idempotency_error", "message": "Keys for idempotent requests..."})
            return JSONResponse(known[2], known[1], {"idempotent-replayed": "true"})
        answer = self._do(request, params)
        # Requests with wrong parameters are not saved.
        if answer.status_code not in (400, 404):
            self.keys[key] = (f"{path}?{raw}", answer.status_code, json.loads(bytes(answer.body)))
        return answer

    def _do(self, request: Request, params: dict[str, Any]) -> Response:
        ref, action = request.path_params.get("id", ""), request.path_params.get("action", "")
        if request.url.path.endswith("/search"):
            return self._search(params)
        if request.url.path.endswith("/refunds"):
            return self._refund(params)
        if not ref:
            return self._create(params) if request.method == "POST" else self._list(params)
        intent = self.intents.get(ref)
        if intent is None:
            return error(404, {"type": "invalid_request_error", "code": "resource_missing", "param": "intent"})
        if request.method == "POST":
            refusal = getattr(self, f"_{action}")(intent, params)
            if refusal is not None:
                return refusal  # type: ignore[no-any-return]  # a response
        return JSONResponse(shown(intent, params))

    def _create(self, params: dict[str, Any]) -> Response:
        number = len(self.intents) + 1
        if int(params["amount"]) < 50:
            return error(400, {"type": "invalid_request_error", "code": "amount_too_small"})
        intent: dict[str, Any] = {
            "id": f"pi_{number}",
            "object": "payment_intent",
            "status": "requires_confirmation",
            "amount": int(params["amount"]),
            "amount_capturable": 0,
            "amount_received": 0,
            "currency": params["currency"],
            "created": self.now_s + number,
            "metadata": params["metadata"],
            "payment_method": params["payment_method"],
            "latest_charge": None,
            "last_payment_error": None,
            "review": None,
        }
        self.intents[intent["id"]] = intent
        return JSONResponse(shown(intent, params))

    def _confirm(self, intent: dict[str, Any], params: dict[str, Any]) -> Response | None:
        if intent["status"] not in ("requires_confirmation", "requires_payment_method"):
            return unexpected(intent)
        token = intent["payment_method"]
        if token == "tok_missing":
            return error(404, {"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method"})
        if token in DECLINES:
            detail = {"type": "card_error", "code": "card_declined", **DECLINES[token]}
            intent |= {"status": "requires_payment_method", "last_payment_error": detail}
            return error(402, detail | {"payment_intent": shown(intent, {})})
        if token == "tok_challenge":
            link = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/3ds"}}
            intent |= {"status": "requires_action", "next_action": link}
            return None
        card = {
            "capture_before": ENDS_S,
            "network_transaction_id": NETWORK_ID,
            "overcapture": {"status": "available", "maximum_amount_capturable": intent["amount"] * 115 // 100},
            "multicapture": {"status": "unavailable"},
        }
        approved = intent["amount"] * 60 // 100 if token == "tok_partial_60" else intent["amount"]
        if approved != intent["amount"]:
            card["amount_authorized"] = approved
        intent["latest_charge"] = {
            "id": "ch_1",
            "object": "charge",
            "status": "succeeded",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "payment_method_details": {"type": "card", "card": card},
        }
        intent |= {"status": "requires_capture", "amount_capturable": approved}
        intent["review"] = dict(REVIEW) if token == "tok_review" else None
        return None

    def _capture(self, intent: dict[str, Any], params: dict[str, Any]) -> Response | None:
        amount = int(params.get("amount_to_capture", intent["amount_capturable"]))
        if intent["status"] != "requires_capture":
            return unexpected(intent)
        if amount > intent["amount_capturable"]:
            return error(400, {"type": "invalid_request_error", "code": "amount_too_large"})
        intent["latest_charge"]["amount_captured"] = amount
        intent["metadata"] = {**intent["metadata"], **params.get("metadata", {})}
        intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
        return None

    def _cancel(self, intent: dict[str, Any], params: dict[str, Any]) -> Response | None:
        if intent["status"] in ("succeeded", "canceled", "processing"):
            return unexpected(intent)
        intent |= {"status": "canceled", "amount_capturable": 0, "cancellation_reason": params["cancellation_reason"]}
        return None

    def _increment_authorization(self, intent: dict[str, Any], params: dict[str, Any]) -> Response | None:
        intent |= {"amount": int(params["amount"]), "amount_capturable": int(params["amount"])}
        intent["latest_charge"]["amount"] = int(params["amount"])
        return None

    def _refund(self, params: dict[str, Any]) -> Response:
        intent = self.intents.get(params["payment_intent"])
        amount = int(params["amount"])
        charge = None if intent is None else intent["latest_charge"]
        if intent is None or charge is None:
            return error(404, {"type": "invalid_request_error", "code": "resource_missing"})
        if amount > charge["amount_captured"] - charge["amount_refunded"]:
            return error(400, {"type": "invalid_request_error", "code": "charge_already_refunded"})
        charge["amount_refunded"] += amount
        refund = {
            "id": f"re_{len(self.refunds) + 1}",
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "status": "pending" if intent["payment_method"] == "tok_slow_refund" else "succeeded",
            "payment_intent": intent["id"],
            "metadata": params["metadata"],
        }
        self.refunds.append(refund)
        return JSONResponse(refund)

    def _search(self, params: dict[str, Any]) -> Response:
        wanted = re.fullmatch(r"metadata\['key'\]:'(.*)'", params["query"])
        assert wanted is not None
        key = re.sub(r"\\(.)", r"\1", wanted[1])
        found = [it for it in self.intents.values() if self.is_searchable and it["metadata"].get("key") == key]
        return JSONResponse(listed("search_result", [shown(it, params) for it in found], False))

    def _list(self, params: dict[str, Any]) -> Response:
        newest = sorted(self.intents.values(), key=lambda it: -it["created"])
        found = [it for it in newest if it["created"] >= int(params["created"]["gte"])]
        if after := params.get("starting_after"):
            found = found[[it["id"] for it in found].index(after) + 1 :]
        part = found[: int(params["limit"])]
        return JSONResponse(listed("list", [shown(it, params) for it in part], len(found) > len(part)))


def listed(kind: str, data: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    return {"object": kind, "data": data, "has_more": has_more, "url": "/v1/payment_intents"}


def shown(intent: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """An intent with ids instead of objects, unless they were asked for."""
    expanded = {it.removeprefix("data.") for it in params.get("expand", {}).values()}
    made = dict(intent)
    for name in ("latest_charge", "review"):
        if made[name] is not None and name not in expanded:
            made[name] = made[name]["id"]
    return made


def unexpected(intent: dict[str, Any]) -> Response:
    detail = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}
    return error(400, detail | {"payment_intent": shown(intent, {"expand": {"0": "latest_charge"}})})


def error(status: int, detail: dict[str, Any]) -> Response:
    return JSONResponse({"error": {"message": "No."} | detail}, status)


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Parameters such as ``metadata[order]=1`` as mappings in mappings."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = WORD.findall(name)
        inner = made
        for word in path:
            inner = inner.setdefault(word, {})
        inner[last] = value
    return made


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[str]:
    """Serve an application on a free port of this machine; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.001)
    try:
        yield url
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.force_exit = True
        await server.shutdown()
        listener.close()
