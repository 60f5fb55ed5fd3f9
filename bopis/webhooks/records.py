"""Subscriptions and deliveries, as they are stored."""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.message import Message
from bopis.domain.values import HOUR_MS
from bopis.webhooks.public_events import EventType, PublicEvent, payload, public_event

ID_BYTES, SECRET_BYTES = 12, 32
SECRET_MARK = "whsec_"
RESPONSE_BYTES_MAX = 1_024
ERROR_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 200
URL_LENGTH_MAX = 1_000
STORES_MAX = 1_000
SUBSCRIPTIONS_MAX = 50
# Events that the log has since so shortly before a subscription are delivered: clocks of machines differ.
CLOCKS_APART_MS = 1_000
# How long the old secret signs as well after a rotation.
OVERLAP_HOURS, OVERLAP_HOURS_MAX = 24, 24 * 30


class SubscriptionState(StrEnum):
    """`PAUSED`: deliveries collect and wait. `DISABLED`: it was ended by its receiver or its failures, and nothing is
    recorded for it."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class EventDeliveryState(StrEnum):
    """`PENDING`: it is attempted, again or for the first time. `FAILED`: no attempt is left."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class EventSubscription(Struct, frozen=True, kw_only=True):
    """One receiver of events.

    `owner` is the name of the key or session that made it. `stores` empty: all stores. `secret` and `old_secret` are
    sealed; the old one signs as well until `old_secret_until_ms`. Events that the log has from `since_ms` on are
    delivered. `failing_since_ms` is the first failure after the last success, 0 for none. Times are epoch milliseconds.
    """

    id: str
    owner: str
    url: str
    types: tuple[EventType, ...]
    stores: tuple[str, ...] = ()
    description: str = ""
    state: SubscriptionState = SubscriptionState.ACTIVE
    reason: str = ""
    created_ms: int
    since_ms: int
    failing_since_ms: int = 0
    secret: bytes
    old_secret: bytes = b""
    old_secret_until_ms: int = 0

    def wants(self, event: PublicEvent, recorded_ms: int) -> bool:
        """Whether an event that the log has since an instant is delivered. One without a store may be: whether it is
        about a store of the filter is found before it is sent."""
        return (
            self.state is not SubscriptionState.DISABLED
            and recorded_ms >= self.since_ms
            and event.type in self.types
            and (not self.stores or event.store is None or event.store in self.stores)
        )

    def sealed_secrets(self, now_ms: int) -> tuple[bytes, ...]:
        """The sealed secrets that sign now, the newest first."""
        if self.old_secret and now_ms < self.old_secret_until_ms:
            return self.secret, self.old_secret
        return (self.secret,)

    def shared_by(self, partitions: int) -> int:
        """The number of the partition whose owner sends the deliveries of this subscription."""
        return int.from_bytes(blake2b(self.id.encode(), digest_size=8).digest()) % partitions


class EventDelivery(Struct, frozen=True, kw_only=True):
    """One event for one subscription. `id` is the ``webhook-id`` of each attempt.

    `place` orders the events of one millisecond. `tries` are the attempts since it was created or resent, `attempts`
    all of them; the other fields are those of the last attempt. `next_ms` is the next attempt's time, 0 when there is
    none.
    """

    id: str
    subscription: str
    type: EventType
    subject: str
    store: str | None
    body: bytes
    recorded_ms: int
    place: int = 0
    state: EventDeliveryState = EventDeliveryState.PENDING
    attempts: int = 0
    tries: int = 0
    next_ms: int = 0
    attempted_ms: int = 0
    status_code: int = 0
    latency_ms: int = 0
    error: str = ""
    response: str = ""


def new_subscription_id() -> str:
    """A random id."""
    return f"wh_{secrets.token_hex(ID_BYTES)}"


def new_secret() -> tuple[str, bytes]:
    """A new secret as its owner gets it, and the key in it."""
    key = secrets.token_bytes(SECRET_BYTES)
    return SECRET_MARK + b64encode(key).decode(), key


def delivery_id(subscription: str, cause: str) -> str:
    """The id of what follows for a subscription from a cause: equal however often the cause is met."""
    return f"msg_{blake2b(f'{subscription}/{cause}'.encode(), digest_size=16).hexdigest()}"


def fan_out(
    message: Message, recorded_ms: int, place: int, subscriptions: Iterable[EventSubscription]
) -> list[EventDelivery]:
    """The deliveries of an event, which the log has since `recorded_ms` at an offset (`place`), one per subscription
    that wants it."""
    event = public_event(message)
    wanted_by = [] if event is None else [it for it in subscriptions if it.wants(event, recorded_ms)]
    if event is None or not wanted_by:
        return []
    body = payload(event)
    return [
        EventDelivery(
            id=delivery_id(it.id, message.cause),
            subscription=it.id,
            type=event.type,
            subject=event.subject,
            store=event.store,
            body=body,
            recorded_ms=recorded_ms,
            place=place,
            next_ms=recorded_ms,
        )
        for it in wanted_by
    ]


def delivery_of_test(subscription: str, now_ms: int) -> EventDelivery:
    """A delivery that a person asked for, to see whether it arrives."""
    identity = delivery_id(subscription, f"test/{secrets.token_hex(ID_BYTES)}")
    event = PublicEvent(
        type=EventType.WEBHOOK_TEST,
        subject=identity,
        store=None,
        at=datetime.fromtimestamp(now_ms / 1000, UTC),
        data={"webhook": subscription},
    )
    return EventDelivery(
        id=identity,
        subscription=subscription,
        type=event.type,
        subject=event.subject,
        store=None,
        body=payload(event),
        recorded_ms=now_ms,
        next_ms=now_ms,
    )


def rotated(subscription: EventSubscription, sealed: bytes, now_ms: int, overlap_hours: int) -> EventSubscription:
    """A subscription with a new secret; the one that it had signs as well for some hours."""
    return replace(
        subscription,
        secret=sealed,
        old_secret=subscription.secret if overlap_hours else b"",
        old_secret_until_ms=now_ms + overlap_hours * HOUR_MS if overlap_hours else 0,
    )


def resumed(subscription: EventSubscription, before: EventSubscription, now_ms: int) -> EventSubscription:
    """A subscription that goes on. Failures count from now on; one that was disabled gets the events from now on."""
    since_ms = now_ms if before.state is SubscriptionState.DISABLED else subscription.since_ms
    return replace(subscription, state=SubscriptionState.ACTIVE, reason="", failing_since_ms=0, since_ms=since_ms)
