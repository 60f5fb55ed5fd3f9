"""Webhooks: subscriptions to events."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response

from bopis.access.roles import Right, Role
from bopis.adapters.secrets.sealing import wrap
from bopis.adapters.webhooks.receiver_address import checked_url
from bopis.domain.values import ID_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.web.answers import CursorNumber, PageSize, decode_cursor, encode_cursor, instant
from bopis.web.endpoint import Call, Endpoint, NoParameters, Provided
from bopis.web.problems import FieldProblem, Problem
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import (
    CLOCKS_APART_MS,
    DESCRIPTION_LENGTH_MAX,
    OVERLAP_HOURS,
    OVERLAP_HOURS_MAX,
    STORES_MAX,
    SUBSCRIPTIONS_MAX,
    URL_LENGTH_MAX,
    EventSubscription,
    SubscriptionState,
    new_secret,
    new_subscription_id,
    resumed,
    rotated,
)

TAG = "webhooks"
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
Identity = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX, pattern="^[A-Za-z0-9_-]+$")]
Url = Annotated[str, Meta(min_length=1, max_length=URL_LENGTH_MAX)]
Types = Annotated[tuple[EventType, ...], Meta(min_length=1, max_length=len(EventType))]
FilterStores = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX, pattern=NO_CONTROLS)], ...],
    Meta(max_length=STORES_MAX),
]
Description = Annotated[str, Meta(max_length=DESCRIPTION_LENGTH_MAX, pattern=NO_CONTROLS)]


class WebhookPath(Struct, frozen=True, kw_only=True):
    """A webhook by its id."""

    webhook: Identity


class WebhooksQuery(Struct, frozen=True, kw_only=True):
    """A page of webhooks."""

    limit: PageSize = 100
    cursor: Annotated[str, Meta(max_length=400)] = ""


class NewWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver of events: an https URL and the types; without stores those of all stores."""

    url: Url
    types: Types
    stores: FilterStores = ()
    description: Description = ""


class WebhookChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields that change; the others stay. `paused` keeps deliveries waiting until it is `active` again."""

    url: Url | UnsetType = UNSET
    types: Types | UnsetType = UNSET
    stores: FilterStores | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    state: SubscriptionState | UnsetType = UNSET


class SecretRotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many hours the old secret signs as well."""

    overlap_hours: Annotated[int, Meta(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class WebhookView(Struct, frozen=True, kw_only=True):
    """One webhook. `reason` says why it is disabled, `failing_since` since when no attempt has succeeded."""

    id: str
    url: str
    types: tuple[EventType, ...]
    stores: tuple[str, ...]
    description: str
    owner: str
    state: SubscriptionState
    reason: str
    created: datetime | None
    failing_since: datetime | None
    old_secret_until: datetime | None


class WebhookSecret(Struct, frozen=True, kw_only=True):
    """A webhook with its new secret, which is shown this once."""

    webhook: WebhookView
    secret: str


class WebhookList(Struct, frozen=True, kw_only=True):
    """A page of webhooks, the oldest first; `cursor` is empty on the last one."""

    webhooks: tuple[WebhookView, ...]
    cursor: str


async def create(call: Call) -> WebhookSecret:
    """Subscribe a receiver to events, from now on. The answer has the secret that verifies their signatures, once."""
    return await call.site.in_thread(_create, call)


def _create(call: Call) -> WebhookSecret:
    asked, table, now_ms = call.body, call.site.webhooks(), call.site.now_ms()
    _check(call, asked.url, asked.types)
    if len(table.subscriptions(call.caller.name)) >= SUBSCRIPTIONS_MAX:
        raise Problem(409, "webhooks-too-many", f"One owner has at most {SUBSCRIPTIONS_MAX} webhooks; delete some.")
    identity, (text, key) = new_subscription_id(), new_secret()
    made = EventSubscription(
        id=identity,
        owner=call.caller.name,
        url=asked.url,
        types=tuple(dict.fromkeys(asked.types)),
        stores=tuple(dict.fromkeys(asked.stores)),
        description=asked.description,
        created_ms=now_ms,
        since_ms=now_ms - CLOCKS_APART_MS,
        secret=wrap(call.site.secrets.webhook_key, identity, key),
    )
    table.add(made)
    call.headers["Location"] = f"/v1/webhooks/{identity}"
    return WebhookSecret(webhook=_view(made), secret=text)


async def read_list(call: Call) -> WebhookList:
    """The caller's webhooks; an operator sees those of everybody."""
    asked: WebhooksQuery = call.params
    after = decode_cursor(asked.cursor, tuple[CursorNumber, str]) if asked.cursor else (0, "")
    owner = None if call.caller.role is Role.HQ_OPERATOR else call.caller.name
    found = await call.site.in_thread(lambda: call.site.webhooks().subscriptions(owner))
    found = [it for it in found if (it.created_ms, it.id) > after]
    page = found[: asked.limit]
    cursor = encode_cursor((page[-1].created_ms, page[-1].id)) if len(found) > len(page) else ""
    return WebhookList(webhooks=tuple(map(_view, page)), cursor=cursor)


async def read(call: Call) -> WebhookView:
    """One webhook."""
    return _view(await call.site.in_thread(find, call))


async def change(call: Call) -> WebhookView:
    """Change a webhook: its URL, types, stores or description; pause it, or let it go on."""
    return await call.site.in_thread(_change, call)


def _change(call: Call) -> WebhookView:
    asked: WebhookChange = call.body
    subscription = find(call)
    fields = {name: it for name in asked.__struct_fields__ if (it := getattr(asked, name)) is not UNSET}
    state = fields.pop("state", subscription.state)
    changed = msgspec.structs.replace(subscription, **fields)
    _check(call, changed.url, changed.types)
    names = set(fields)
    if state is SubscriptionState.DISABLED and subscription.state is not state:
        raise Problem(422, "state-invalid", "Pause a webhook, or delete it; only failures disable one.")
    if state is not subscription.state:
        changed = msgspec.structs.replace(changed, state=state)
        if state is SubscriptionState.ACTIVE:
            changed = resumed(changed, subscription, call.site.now_ms())
        names |= {"state", "reason", "since_ms", "failing_since_ms"}
    if names:
        call.site.webhooks().change(changed, *names)
    return _view(changed)


async def delete(call: Call) -> Response:
    """Delete a webhook with its deliveries; nothing more is sent."""

    def deleted() -> None:
        call.site.webhooks().delete(find(call).id)

    await call.site.in_thread(deleted)
    return Response(status_code=204)


async def rotate(call: Call) -> WebhookSecret:
    """Give a webhook a new secret. Until the overlap ends, each request has the signatures of both."""

    def made() -> WebhookSecret:
        subscription, (text, key) = find(call), new_secret()
        sealed = wrap(call.site.secrets.webhook_key, subscription.id, key)
        changed = rotated(subscription, sealed, call.site.now_ms(), call.body.overlap_hours)
        call.site.webhooks().change(changed, "secret", "old_secret", "old_secret_until_ms")
        return WebhookSecret(webhook=_view(changed), secret=text)

    return await call.site.in_thread(made)


def right_of(kind: EventType) -> Right:
    """The right to read what events of a type tell."""
    match kind.value.partition(".")[0]:
        case "order":
            return Right.ORDERS_READ
        case "payment":
            return Right.PAYMENTS_READ
        case "stock":
            # Availability is what a crossing tells; the others tell what is in the books.
            is_public = kind in (EventType.STOCK_AVAILABLE, EventType.STOCK_UNAVAILABLE)
            return Right.AVAILABILITY_READ if is_public else Right.STOCK_READ
        case _:
            return Right.WEBHOOKS_CHANGE


def _check(call: Call, url: str, types: tuple[EventType, ...]) -> None:
    """Raise a problem for a URL that may not be used, and for a type that the caller may not read."""
    checked_url(url, allow_private=call.site.settings.webhook_private_addresses)
    for kind in types:
        if kind is EventType.WEBHOOK_TEST:
            field = FieldProblem(field="types", detail=f"{kind} is sent on request only")
            raise Problem(422, "type-invalid", field.detail, fields=(field,))
        if not call.caller.may(right_of(kind)):
            raise Problem(403, "right-missing", f"Events of the type {kind} need the right {right_of(kind)}.")


def find(call: Call) -> EventSubscription:
    """The webhook of the path. Raises a problem for none, and for that of another owner."""
    identity = call.params.webhook
    found = call.site.webhooks().subscription(identity)
    if found is None or (call.caller.role is not Role.HQ_OPERATOR and found.owner != call.caller.name):
        raise Problem(404, "webhook-unknown", f"There is no webhook {identity}.")
    return found


def _view(it: EventSubscription) -> WebhookView:
    return WebhookView(
        id=it.id,
        url=it.url,
        types=it.types,
        stores=it.stores,
        description=it.description,
        owner=it.owner,
        state=it.state,
        reason=it.reason,
        created=instant(it.created_ms),
        failing_since=instant(it.failing_since_ms),
        old_secret_until=instant(it.old_secret_until_ms),
    )


def endpoint(method: str, path: str, **fields: Any) -> Endpoint:
    """An endpoint under ``/v1/webhooks``; without parameters and errors of its own it has those of one webhook."""
    given: dict[str, Any] = {"params": WebhookPath, "statuses": (404, 503)} | fields
    return Endpoint(method=method, path=f"/v1/webhooks{path}", right=Right.WEBHOOKS_CHANGE, tag=TAG, **given)


ENDPOINTS = (
    endpoint(
        "POST", "", handle=create, summary="Subscribe a receiver to events", params=NoParameters, body=NewWebhook,
        answer=WebhookSecret, status=201, statuses=(409, 422, 503),
        provides=(Provided("webhook", "$response.body#/webhook/id"),),
    ),
    endpoint(
        "GET", "", handle=read_list, summary="Webhooks", params=WebhooksQuery, answer=WebhookList, statuses=(400, 503),
        provides=(Provided("webhook", "$response.body#/webhooks/0/id"), Provided("cursor", "$response.body#/cursor")),
    ),
    endpoint("GET", "/{webhook}", handle=read, summary="One webhook", answer=WebhookView),
    endpoint(
        "PATCH", "/{webhook}", handle=change, summary="Change a webhook", body=WebhookChange, answer=WebhookView,
        statuses=(404, 422, 503),
    ),
    endpoint("DELETE", "/{webhook}", handle=delete, summary="Delete a webhook", status=204),
    endpoint(
        "POST", "/{webhook}/secret", handle=rotate, summary="Rotate the secret", body=SecretRotation,
        answer=WebhookSecret,
    ),
)  # fmt: skip
