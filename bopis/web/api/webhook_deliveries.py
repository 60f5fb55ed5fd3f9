"""Deliveries of webhooks: a test, the list, and one of them once more."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bopis.adapters.webhooks.table import DeliveryPage
from bopis.web.answers import CursorNumber, PageSize, decode_cursor, encode_cursor, instant
from bopis.web.api.webhooks import Identity, WebhookPath, endpoint, find
from bopis.web.endpoint import Call, Provided
from bopis.web.problems import Problem
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import (
    EventDelivery,
    EventDeliveryState,
    EventSubscription,
    SubscriptionState,
    delivery_of_test,
)


class Place(Struct, frozen=True, kw_only=True):
    """The last delivery of a page, in its cursor: its time and id."""

    recorded_ms: CursorNumber
    id: Identity


class DeliveryPath(WebhookPath, frozen=True, kw_only=True):
    """A delivery of a webhook by its id."""

    delivery: Identity


class DeliveriesQuery(WebhookPath, frozen=True, kw_only=True):
    """A page of deliveries, the newest first; `state` limits them to one state."""

    state: EventDeliveryState | None = None
    limit: PageSize = 100
    cursor: Annotated[str, Meta(max_length=400)] = ""


class DeliveryView(Struct, frozen=True, kw_only=True):
    """One event for one webhook; `id` is the `webhook-id` of every attempt. The last attempt: `status_code` (null: no
    answer), `latency_ms`, `error`, and the first part of the receiver's answer."""

    id: str
    type: EventType
    state: EventDeliveryState
    attempts: int
    recorded: datetime | None
    attempted: datetime | None
    next_attempt: datetime | None
    status_code: int | None
    latency_ms: int | None
    error: str
    response: str
    payload: Any


class Deliveries(Struct, frozen=True, kw_only=True):
    """A page of deliveries; `cursor` is empty on the last one."""

    deliveries: tuple[DeliveryView, ...]
    cursor: str


async def test(call: Call) -> DeliveryView:
    """Send an event of the type `webhook.test`, which is retried as others are."""

    def sent() -> DeliveryView:
        delivery = delivery_of_test(_active(call).id, call.site.now_ms())
        call.site.webhooks().send(delivery)
        return _delivery_view(delivery)

    return await call.site.in_thread(sent)


async def read_deliveries(call: Call) -> Deliveries:
    """The deliveries of a webhook, the newest first; they are kept for some weeks."""
    asked: DeliveriesQuery = call.params
    place: Place | None = decode_cursor(asked.cursor, Place) if asked.cursor else None
    after = None if place is None else (place.recorded_ms, place.id)

    def found() -> list[EventDelivery]:
        page = DeliveryPage(find(call).id, asked.limit + 1, asked.state, after)
        return call.site.webhooks().deliveries(page)

    rows = await call.site.in_thread(found)
    page = rows[: asked.limit]
    cursor = encode_cursor(Place(recorded_ms=page[-1].recorded_ms, id=page[-1].id)) if len(rows) > len(page) else ""
    return Deliveries(deliveries=tuple(map(_delivery_view, page)), cursor=cursor)


async def read_delivery(call: Call) -> DeliveryView:
    """One delivery of a webhook."""
    return _delivery_view(await call.site.in_thread(lambda: _delivery(call, find(call))))


async def resend(call: Call) -> DeliveryView:
    """Send a delivery once more, at once and then by the whole schedule. Its `webhook-id` stays the same."""

    def again() -> DeliveryView:
        delivery = _delivery(call, _active(call))
        return _delivery_view(call.site.webhooks().resend(delivery, call.site.now_ms()))

    return await call.site.in_thread(again)


def _active(call: Call) -> EventSubscription:
    """The webhook of the path, which is not disabled."""
    found = find(call)
    if found.state is SubscriptionState.DISABLED:
        raise Problem(409, "webhook-disabled", f"The webhook is disabled: {found.reason}. Set its state to active.")
    return found


def _delivery(call: Call, subscription: EventSubscription) -> EventDelivery:
    identity = call.params.delivery
    found = call.site.webhooks().delivery(subscription.id, identity)
    if found is None:
        raise Problem(404, "delivery-unknown", f"There is no delivery {identity}; old ones are deleted.")
    return found


def _delivery_view(it: EventDelivery) -> DeliveryView:
    return DeliveryView(
        id=it.id,
        type=it.type,
        state=it.state,
        attempts=it.attempts,
        recorded=instant(it.recorded_ms),
        attempted=instant(it.attempted_ms),
        next_attempt=instant(it.next_ms),
        status_code=it.status_code or None,
        latency_ms=it.latency_ms if it.attempts else None,
        error=it.error,
        response=it.response,
        payload=msgspec.Raw(it.body),
    )


ENDPOINTS = (
    endpoint(
        "POST", "/{webhook}/test", handle=test, summary="Send a test event", answer=DeliveryView, status=202,
        statuses=(404, 409, 503), provides=(Provided("delivery", "$response.body#/id"),),
    ),
    endpoint(
        "GET", "/{webhook}/deliveries", handle=read_deliveries, summary="Deliveries of a webhook",
        params=DeliveriesQuery, answer=Deliveries, statuses=(400, 404, 503),
        provides=(
            Provided("delivery", "$response.body#/deliveries/0/id"), Provided("cursor", "$response.body#/cursor"),
        ),
    ),
    endpoint(
        "GET", "/{webhook}/deliveries/{delivery}", handle=read_delivery, summary="One delivery", params=DeliveryPath,
        answer=DeliveryView,
    ),
    endpoint(
        "POST", "/{webhook}/deliveries/{delivery}/resend", handle=resend, summary="Send a delivery once more",
        params=DeliveryPath, answer=DeliveryView, status=202, statuses=(404, 409, 503),
    ),
)  # fmt: skip
