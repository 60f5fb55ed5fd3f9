"""Stripe: an authorisation is a PaymentIntent that is created, then confirmed, in two calls.

Creating asks nothing of the card, so a lost answer to it does no harm; confirming names the PaymentIntent, so a lost
answer is found by one question.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bopis.adapters.gateways import stripe_objects as objects
from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayUnavailable
from bopis.adapters.gateways.signatures import BAD_REQUEST, stripe_refusal
from bopis.adapters.gateways.stripe_errors import answer_to_stripe_error
from bopis.adapters.gateways.stripe_events import read_event
from bopis.adapters.gateways.stripe_objects import AMOUNT_UNPAYABLE, EXPANDED, Object
from bopis.adapters.gateways.stripe_transport import client_of, library
from bopis.domain.payments.gateway import (
    CallInitiator,
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    GatewayCall,
    Operation,
)
from bopis.ports import CallbackAnswer, GatewayPage

OFFERED = Capabilities(close=True, async_results=True, find_by_key=True, listing=True, key_life_s=86_400)
PAGE_SIZE = 100
PAGES_MAX = 200
# A search shows what was created up to a minute before.
SEARCH_LAG_MS = 60_000


class StripeGateway:
    """Speaks to Stripe. Raises `GatewayMisconfigured` without a key, `GatewayPackageMissing` without the package."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._library = library(config.name)
        if not config.api_key:
            raise GatewayMisconfigured(name=config.name, cause="it has no api_key")
        # Everybody can sign with an empty secret.
        if not all(secret.strip() for secret in config.callback_secrets):
            raise GatewayMisconfigured(name=config.name, cause="a callback secret is empty")
        self._client, self._connections = client_of(config)
        self._intents: Any = self._client.v1.payment_intents

    @property
    def capabilities(self) -> Capabilities:
        """What it offers."""
        return self._config.capabilities or OFFERED

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        """Do one call, once."""
        try:
            return await self._do(call)
        except self._library.StripeError as error:
            return answer_to_stripe_error(self._library, error, call)

    async def entries(self, since_ms: int, cursor: str | None = None) -> GatewayPage:  # noqa: ARG002  (one page)
        """Its list of authorisations, in one page. Raises `GatewayUnavailable`.

        Stripe lists the newest first, so all of them are read before the first one is told.
        """
        found: list[Object] = []
        query: dict[str, Any] = {
            "created": {"gte": since_ms // 1000},
            "limit": PAGE_SIZE,
            "expand": ["data.latest_charge"],
        }
        for _ in range(PAGES_MAX):
            try:
                page = _plain(await self._intents.list_async(query))
            except self._library.StripeError as error:
                raise GatewayUnavailable(name=self._config.name, cause=type(error).__name__) from error
            found += page["data"]
            if not (page.get("has_more") and page["data"]):
                entries = [objects.intent_entry(it) for it in found]
                return GatewayPage(sorted(entries, key=lambda it: (it.created_ms, it.reference)), None)
            query["starting_after"] = page["data"][-1]["id"]
        cause = f"more than {PAGE_SIZE * PAGES_MAX} authorisations since then; ask for a later time"
        raise GatewayUnavailable(name=self._config.name, cause=cause)

    def callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> CallbackAnswer:
        """Check a callback's signature, then read it. Never raises."""
        refusal = stripe_refusal(headers, body, self._config.callback_secrets, now_ms)
        return CallbackAnswer(BAD_REQUEST, refusal=refusal) if refusal else read_event(body)

    async def close(self) -> None:
        """Close its connections."""
        await self._connections.close()

    async def _do(self, call: GatewayCall) -> GatewayAnswer:
        amount = objects.to_stripe(call.amount, call.currency)
        if amount is None:
            return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED, code=AMOUNT_UNPAYABLE)
        if call.operation is Operation.AUTHORISE:
            return await self._authorise(call, amount)
        if call.operation is Operation.ADJUST and not self.capabilities.adjust:
            return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED, code="adjust_not_offered")
        intent = await self._found(call, amount)
        if intent is None:
            return GatewayAnswer(outcome=CallOutcome.UNKNOWN, code="not_found_yet", wait_ms=SEARCH_LAG_MS)
        if call.operation is Operation.FIND:
            return objects.intent_answer(intent)
        return await self._change(call, str(intent["id"]), amount)

    async def _authorise(self, call: GatewayCall, amount: int) -> GatewayAnswer:
        reference = call.reference
        if not reference:
            try:
                reference = str((await self._create(call, call.key, amount))["id"])
            except self._library.StripeError as error:
                answer = answer_to_stripe_error(self._library, error, call)
                # It was never confirmed, so nothing can have happened; the same key finds it again.
                is_unknown = answer.outcome is CallOutcome.UNKNOWN
                return replace(answer, outcome=CallOutcome.NOT_SENT) if is_unknown else answer
        params: dict[str, Any] = {"expand": EXPANDED}
        if call.initiated_by is CallInitiator.MERCHANT:
            params["off_session"] = True
        if self._config.return_url:
            params["return_url"] = self._config.return_url
        try:
            intent = _plain(await self._intents.confirm_async(reference, params, _options(f"{call.key}-confirm")))
        except self._library.StripeError as error:
            answer = answer_to_stripe_error(self._library, error, call)
            return replace(answer, reference=answer.reference or reference)
        return objects.intent_answer(intent)

    async def _create(self, call: GatewayCall, key: str, amount: int) -> Object:
        customer, _, method = call.token.rpartition("/")
        offers = {
            f"request_{name}": "if_available"
            for name in ("multicapture", "overcapture")
            if getattr(self.capabilities, name)
        }
        params = {
            "amount": amount,
            "currency": call.currency.lower(),
            "capture_method": "manual",
            "confirm": False,
            "payment_method": method,
            "payment_method_types": ["card"],
            "metadata": {"order": call.order, "attempt": str(call.attempt), "key": key},
            **({"customer": customer} if customer else {}),
            **({"payment_method_options": {"card": offers}} if offers else {}),
        }
        return _plain(await self._intents.create_async(params, _options(f"{key}-create")))

    async def _found(self, call: GatewayCall, amount: int) -> Object | None:
        """The PaymentIntent that a call is about: by its id, by a search for our key, by creating it once more.

        The search comes first: past the life of keys, creating makes a new one. What a search does not show yet is
        young, so its key still lives.
        """
        if call.reference:
            return _plain(await self._intents.retrieve_async(call.reference, {"expand": EXPANDED}))
        key = call.authorisation or call.key
        # A quotation mark or a backslash would end the text of the query.
        quoted = key.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"metadata['key']:'{quoted}'", "expand": [f"data.{it}" for it in EXPANDED]}
        found: list[Object] = _plain(await self._intents.search_async(query))["data"]
        if found:
            return found[0]
        if not (call.token and amount and call.operation in (Operation.FIND, Operation.CLOSE)):
            return None
        try:
            created = await self._create(call, key, amount)
        except self._library.IdempotencyError:
            return None
        return _plain(await self._intents.retrieve_async(created["id"], {"expand": EXPANDED}))

    async def _change(self, call: GatewayCall, reference: str, amount: int) -> GatewayAnswer:
        options = _options(call.key)
        match call.operation:
            case Operation.CAPTURE:
                params: dict[str, Any] = {
                    "amount_to_capture": amount,
                    "metadata": {"step": call.key},
                    "expand": EXPANDED,
                }
                if not call.final and self.capabilities.multicapture:
                    params["final_capture"] = False
                return _captured(call, _plain(await self._intents.capture_async(reference, params, options)))
            case Operation.REFUND:
                metadata = {"order": call.order, "attempt": str(call.attempt), "key": call.key}
                params = {"payment_intent": reference, "amount": amount, "metadata": metadata}
                return _refunded(call, _plain(await self._client.v1.refunds.create_async(params, options)), reference)
            case Operation.ADJUST:
                params = {"amount": amount, "expand": EXPANDED}
                increased = await self._intents.increment_authorization_async(reference, params, options)
                return objects.intent_answer(_plain(increased))
            case _:
                params = {"cancellation_reason": "abandoned", "expand": EXPANDED}
                cancelled = await self._intents.cancel_async(reference, params, options)
                answer = objects.intent_answer(_plain(cancelled))
                released = (answer.amount or 0) - (answer.captured or 0)
                return replace(answer, outcome=CallOutcome.VOIDED, amount=released)


def _captured(call: GatewayCall, intent: Object) -> GatewayAnswer:
    is_later = intent.get("status") == "processing"
    answer = objects.intent_answer(intent)
    # The amount is the step's; its currency is compared with the call's.
    return replace(answer, outcome=CallOutcome.ACCEPTED if is_later else CallOutcome.APPROVED, amount=call.amount)


def _refunded(call: GatewayCall, refund: Object, reference: str) -> GatewayAnswer:
    outcomes = {"succeeded": CallOutcome.APPROVED, "failed": CallOutcome.FAILED, "canceled": CallOutcome.FAILED}
    currency = objects.currency_of(refund)
    return GatewayAnswer(
        outcome=outcomes.get(str(refund.get("status")), CallOutcome.ACCEPTED),
        amount=objects.from_stripe(int(refund.get("amount") or 0), currency),
        currency=currency,
        reference=reference or call.reference,
        code=str(refund.get("failure_reason") or ""),
    )


def _options(key: str) -> dict[str, str]:
    return {"idempotency_key": key}


def _plain(thing: Any) -> Object:
    """An object of the library as mappings and lists."""
    found: dict[str, Any] = thing.to_dict()
    return found
