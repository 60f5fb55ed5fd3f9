"""The table of webhooks, shared by web processes, commands and the workers that deliver.

A worker writes the deliveries of some events and how far it has read the log in one transaction, so a kill loses none
and doubles none. All methods block; they raise `WebhooksUnavailable` when the database does not answer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.sql import Select

from bopis.adapters.secrets.database import connect, create_tables, transaction
from bopis.adapters.secrets.vault import keys_url
from bopis.adapters.webhooks.errors import WebhookDatabaseShared, WebhooksUnavailable
from bopis.adapters.webhooks.schema import deliveries, metadata, positions, subscriptions
from bopis.settings import Settings
from bopis.webhooks.records import EventDelivery, EventDeliveryState, EventSubscription, SubscriptionState
from bopis.webhooks.schedule import ORDERED_TRIES, Settlement

FILE_NAME = "webhooks.sqlite3"
# A row that a power cut takes is made again from the log, or its request is repeated under the same id.
SQLITE_PRAGMAS = {"busy_timeout": 30_000, "journal_mode": "WAL", "synchronous": "NORMAL"}
PENDING = EventDeliveryState.PENDING.value
ROWS_PER_DELETE = 5_000

Offsets = Mapping[tuple[str, int], int]


class DeliveryPage(NamedTuple):
    """Which deliveries are listed: those of a subscription, in one state, after the last one of the page before (its
    time and id)."""

    subscription: str
    limit: int
    state: EventDeliveryState | None = None
    after: tuple[int, str] | None = None


class WebhookTable:
    """Subscriptions, deliveries and positions."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = connect(url, SQLITE_PRAGMAS)
            create_tables(self._engine, metadata, WebhooksUnavailable)
        except (ArgumentError, NoSuchModuleError, ImportError, OSError) as error:
            raise WebhooksUnavailable(cause=error) from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _transaction(self) -> Any:
        return transaction(self._engine, WebhooksUnavailable)

    # Subscriptions

    def subscriptions(self, owner: str | None = None) -> list[EventSubscription]:
        """All subscriptions, or those of an owner, the oldest first."""
        query = select(subscriptions).order_by(subscriptions.c.created_ms, subscriptions.c.id)
        if owner is not None:
            query = query.where(subscriptions.c.owner == owner)
        with self._transaction() as connection:
            return [_subscription(row) for row in connection.execute(query)]

    def subscription(self, identity: str) -> EventSubscription | None:
        """One subscription."""
        with self._transaction() as connection:
            row = connection.execute(select(subscriptions).where(subscriptions.c.id == identity)).first()
        return None if row is None else _subscription(row)

    def add(self, subscription: EventSubscription) -> None:
        """Store a new subscription."""
        with self._transaction() as connection:
            connection.execute(subscriptions.insert().values(_row(subscription)))

    def change(self, subscription: EventSubscription, *fields: str) -> None:
        """Store some fields of a subscription; the others stay as they are."""
        row = _row(subscription)
        with self._transaction() as connection:
            changes = {name: row[name] for name in fields}
            connection.execute(subscriptions.update().where(subscriptions.c.id == subscription.id).values(changes))

    def delete(self, identity: str) -> bool:
        """Delete a subscription and its deliveries. Returns whether there was one."""
        with self._transaction() as connection:
            connection.execute(deliveries.delete().where(deliveries.c.subscription == identity))
            return bool(connection.execute(subscriptions.delete().where(subscriptions.c.id == identity)).rowcount)

    # Deliveries

    def deliveries(self, page: DeliveryPage) -> list[EventDelivery]:
        """A page of deliveries, the newest first."""
        columns = deliveries.c
        query = select(deliveries).where(columns.subscription == page.subscription)
        if page.state is not None:
            query = query.where(columns.state == page.state.value)
        if page.after is not None:
            query = query.where(tuple_(columns.recorded_ms, columns.id) < tuple_(*page.after))
        query = query.order_by(columns.recorded_ms.desc(), columns.id.desc()).limit(page.limit)
        with self._transaction() as connection:
            return _deliveries(connection, query)

    def delivery(self, subscription: str, identity: str) -> EventDelivery | None:
        """One delivery of a subscription."""
        query = select(deliveries).where(deliveries.c.id == identity, deliveries.c.subscription == subscription)
        with self._transaction() as connection:
            found = _deliveries(connection, query)
        return found[0] if found else None

    def send(self, delivery: EventDelivery) -> None:
        """Store a delivery that a person asked for."""
        with self._transaction() as connection:
            self._insert(connection, [delivery])

    def resend(self, delivery: EventDelivery, now_ms: int) -> EventDelivery:
        """Let a delivery be attempted again, at once and then by the whole schedule."""
        again = msgspec.structs.replace(delivery, state=EventDeliveryState.PENDING, tries=0, next_ms=now_ms)
        with self._transaction() as connection:
            changes = {"state": PENDING, "tries": 0, "next_ms": now_ms}
            connection.execute(deliveries.update().where(deliveries.c.id == delivery.id).values(changes))
        return again

    def counts(self) -> dict[tuple[str, EventDeliveryState], int]:
        """How many deliveries each subscription has in each state."""
        query = select(deliveries.c.subscription, deliveries.c.state, func.count()).group_by(
            deliveries.c.subscription, deliveries.c.state
        )
        with self._transaction() as connection:
            return {(row[0], EventDeliveryState(row[1])): row[2] for row in connection.execute(query)}

    # What a worker does

    def positions(self) -> dict[tuple[str, int], int]:
        """Of each topic (with its prefix) and partition the first offset that is not read."""
        with self._transaction() as connection:
            rows = connection.execute(select(positions))
            return {(row.topic, row.partition): row.next_offset for row in rows}

    def take(self, new: Sequence[EventDelivery], read: Offsets) -> None:
        """Store new deliveries and how far the log was read. A delivery that is there already stays as it is."""
        with self._transaction() as connection:
            self._insert(connection, new)
            for (topic, partition), following in read.items():
                row = {"topic": topic, "partition": partition, "next_offset": following}
                insert = self._insert_into(positions).values(row)
                keys = [positions.c.topic, positions.c.partition]
                connection.execute(insert.on_conflict_do_update(index_elements=keys, set_={"next_offset": following}))

    def due(self, subscription: str, now_ms: int, limit: int, running: Collection[str]) -> list[EventDelivery]:
        """Deliveries of a subscription that may be attempted now, without those that are running.

        One waits while an earlier one of its subject is pending and has few attempts.
        """
        columns, earlier = deliveries.c, deliveries.alias("earlier")
        blocker = select(earlier.c.id).where(
            earlier.c.subscription == columns.subscription,
            earlier.c.subject == columns.subject,
            earlier.c.state == PENDING,
            earlier.c.tries < ORDERED_TRIES,
            tuple_(earlier.c.recorded_ms, earlier.c.place, earlier.c.id)
            < tuple_(columns.recorded_ms, columns.place, columns.id),
        )
        query = (
            select(deliveries)
            .where(
                columns.state == PENDING,
                columns.subscription == subscription,
                columns.next_ms <= now_ms,
                columns.id.not_in(list(running)),
                ~blocker.exists(),
            )
            .order_by(columns.next_ms, columns.recorded_ms, columns.place)
            .limit(limit)
        )
        with self._transaction() as connection:
            return _deliveries(connection, query)

    def soonest(self, subscription: str, now_ms: int) -> int:
        """The time of the next attempt of a subscription after now; 0 for none."""
        columns = deliveries.c
        query = select(func.min(columns.next_ms)).where(
            columns.state == PENDING, columns.subscription == subscription, columns.next_ms > now_ms
        )
        with self._transaction() as connection:
            return int(connection.scalar(query) or 0)

    def settle(self, settled: Settlement, before: EventSubscription) -> None:
        """Store the outcome of an attempt, and what it changed of its subscription `before`."""
        delivery, after = settled.delivery, settled.subscription
        fields = ("state", "attempts", "tries", "next_ms", "attempted_ms", "status_code", "latency_ms", "error")
        changes = {name: getattr(delivery, name) for name in (*fields, "response")}
        with self._transaction() as connection:
            connection.execute(deliveries.update().where(deliveries.c.id == delivery.id).values(changes))
            if after.failing_since_ms != before.failing_since_ms:
                mine = subscriptions.c.id == after.id
                since = {"failing_since_ms": after.failing_since_ms}
                connection.execute(subscriptions.update().where(mine).values(since))
            if after.state is not before.state:
                is_active = and_(
                    subscriptions.c.id == after.id, subscriptions.c.state == SubscriptionState.ACTIVE.value
                )
                values = {"state": after.state.value, "reason": after.reason}
                connection.execute(subscriptions.update().where(is_active).values(values))

    def postpone(self, delivery: EventDelivery, next_ms: int, error: str) -> None:
        """Note why a delivery is not attempted, and when it is looked at again; 0: never."""
        state = PENDING if next_ms else EventDeliveryState.FAILED.value
        changes = {"next_ms": next_ms, "error": error, "state": state}
        with self._transaction() as connection:
            connection.execute(deliveries.update().where(deliveries.c.id == delivery.id).values(changes))

    def drop(self, delivery: EventDelivery) -> None:
        """Delete a delivery that its subscription does not want."""
        with self._transaction() as connection:
            connection.execute(deliveries.delete().where(deliveries.c.id == delivery.id))

    def forget(self, before_ms: int) -> int:
        """Delete deliveries of events that the log has since before an instant, some thousands at a time. Returns how
        many."""
        old = select(deliveries.c.id).where(deliveries.c.recorded_ms < before_ms).limit(ROWS_PER_DELETE)
        with self._transaction() as connection:
            return int(connection.execute(deliveries.delete().where(deliveries.c.id.in_(old))).rowcount)

    def _insert(self, connection: Connection, new: Iterable[EventDelivery]) -> None:
        rows = [msgspec.structs.asdict(it) | {"type": it.type.value, "state": it.state.value} for it in new]
        if rows:
            connection.execute(self._insert_into(deliveries).on_conflict_do_nothing(), rows)

    def _insert_into(self, table: Any) -> Any:
        """An INSERT of the database's own kind, because only those know what to do about rows that are there."""
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)


def webhooks_url(settings: Settings) -> str:
    """The database of webhooks: by default a file of its own beside that of the keys, or the server of the keys.

    Raises `WebhookDatabaseShared` (webhooks need a write-ahead log, in which deleted keys would stay readable) or
    `WebhooksUnavailable`.
    """
    try:
        keys = make_url(keys_url(settings))
        named = make_url(settings.webhook_database) if settings.webhook_database else None
    except ArgumentError as error:
        raise WebhooksUnavailable(cause=error) from error
    is_file = keys.get_backend_name() == "sqlite"
    if is_file and named is not None and named.database == keys.database:
        raise WebhookDatabaseShared(url=settings.webhook_database)
    beside = f"sqlite:///{Path(keys.database or '').parent / FILE_NAME}" if is_file else settings.keys_database
    return settings.webhook_database or beside


def _row(subscription: EventSubscription) -> dict[str, Any]:
    lists = {name: msgspec.json.encode(getattr(subscription, name)).decode() for name in ("types", "stores")}
    return msgspec.structs.asdict(subscription) | lists | {"state": subscription.state.value}


def _subscription(row: Any) -> EventSubscription:
    fields = _fields(row)
    lists = {name: msgspec.json.decode(fields[name]) for name in ("types", "stores")}
    return msgspec.convert(fields | lists, EventSubscription, builtin_types=(bytes,))


def _deliveries(connection: Connection, query: Select[Any]) -> list[EventDelivery]:
    rows = [_fields(row) for row in connection.execute(query)]
    return msgspec.convert(rows, list[EventDelivery], builtin_types=(bytes,))


def _fields(row: Any) -> dict[str, Any]:
    # The library's names are texts of a class of its own.
    return {str(name): value for name, value in row._mapping.items()}
