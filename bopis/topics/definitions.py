"""Every topic of the product: its key, retention, writers and readers. A new topic is one entry here.

Creating, checking, migrating and documenting topics all use this table.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

import msgspec

from bopis.names import (
    CATALOGUE_TOPIC,
    DEAD_LETTER_MARKS_TOPIC,
    DEAD_LETTERS_TOPIC,
    INVENTORY_EVENTS_TOPIC,
    LEVELS_TOPIC,
    NOTICE_EVENTS_TOPIC,
    NOTICE_STATE_TOPIC,
    NOTICES_TOPIC,
    ORDER_EVENTS_TOPIC,
    ORDER_STATE_TOPIC,
    ORDERS_TOPIC,
    PAYMENT_CALLS_TOPIC,
    PAYMENT_EVENTS_TOPIC,
    PAYMENT_STATE_TOPIC,
    PAYMENTS_TOPIC,
    ROUTING_SHADOW_TOPIC,
    STOCK_TOPIC,
    STORES_TOPIC,
    WORKERS_TOPIC,
)
from bopis.topics.plans import FOR_EVER, LOG_APPEND_TIME, TIMESTAMP_TYPE, Comparison, PlannedSetting, TopicPlan

# The largest record batch of each kind of topic. A commit of a processor is one batch, so changelogs need most.
RECORD_BYTES_MAX = 1 << 20
SOURCE_BYTES_MAX = 8 << 20
LETTER_BYTES_MAX = 9 << 20
COMMIT_BYTES_MAX = 32 << 20

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Retention(Enum):
    """How long records stay."""

    FOR_EVER = "for ever"
    NEWEST = "the newest of each key"
    LETTERS = "for ever, or as dead_letter_retention_days says"


class MigrationRule(Enum):
    """How `bopis topics migrate` copies a topic. Topics are copied in this order: later rules need earlier results."""

    STOCK = "each store's messages in their order, with their times"
    EVERY = "every record in its order, with its time"
    ROWS = "each row to the partition of its messages, and the position of those messages"
    NEWEST = "the newest record of each key"
    LETTERS = "every record, with the new place of its message"
    MARKS = "the newest record of each key, named after the new place of its message"
    NOTHING = "not copied: it describes running processes"


class TopicDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One topic, named without the prefix.

    `partitions` 0 means the number in the settings. `rows_of` is the source topic of a changelog: a key's rows are in
    the same partition as its messages. `exact_partitions`: the number of partitions must be the planned one.
    """

    name: str
    key: str
    retention: Retention
    migration: MigrationRule
    written_by: str
    read_by: str
    bytes_max: int = RECORD_BYTES_MAX
    partitions: int = 0
    rows_of: str = ""
    exact_partitions: bool = True

    @property
    def cleanup(self) -> str:
        """The setting ``cleanup.policy``."""
        return "compact" if self.retention is Retention.NEWEST else "delete"


# fmt: off
TOPICS: tuple[TopicDefinition, ...] = (
    TopicDefinition(
        name=STOCK_TOPIC, key="store", retention=Retention.FOR_EVER, migration=MigrationRule.STOCK,
        bytes_max=SOURCE_BYTES_MAX, written_by="tills, agents, desks, inventory (ticks, announcements)",
        read_by="inventory, projection, verify",
    ),
    TopicDefinition(
        name=LEVELS_TOPIC, key="store|sku", retention=Retention.NEWEST, migration=MigrationRule.ROWS,
        bytes_max=COMMIT_BYTES_MAX, rows_of=STOCK_TOPIC, written_by="inventory: its changelog",
        read_by="inventory (recovery), projection, routing, subscribers",
    ),
    TopicDefinition(
        name=INVENTORY_EVENTS_TOPIC, key="store", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="inventory", read_by="verify, webhooks, subscribers",
    ),
    TopicDefinition(
        name=STORES_TOPIC, key="store", retention=Retention.NEWEST, migration=MigrationRule.NEWEST,
        written_by="imports, operators", read_by="projection, routing",
    ),
    TopicDefinition(
        name=CATALOGUE_TOPIC, key="SKU", retention=Retention.NEWEST, migration=MigrationRule.NEWEST,
        written_by="imports, operators", read_by="inventory, notifier, checkout, counter",
    ),
    TopicDefinition(
        name=ORDERS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX,
        written_by="customers' channels, inventory and routing (replies), orders (ticks)",
        read_by="orders, routing, projection",
    ),
    TopicDefinition(
        name=ORDER_STATE_TOPIC, key="order", retention=Retention.NEWEST, migration=MigrationRule.ROWS,
        bytes_max=COMMIT_BYTES_MAX, rows_of=ORDERS_TOPIC, written_by="orders: its changelog",
        read_by="orders (recovery), routing, projection",
    ),
    TopicDefinition(
        name=ORDER_EVENTS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="orders", read_by="routing, projection, webhooks, subscribers",
    ),
    TopicDefinition(
        name=NOTICES_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="orders, staff, notifier (replies), notices (ticks)",
        read_by="notices",
    ),
    TopicDefinition(
        name=NOTICE_STATE_TOPIC, key="order", retention=Retention.NEWEST, migration=MigrationRule.ROWS,
        bytes_max=COMMIT_BYTES_MAX, rows_of=NOTICES_TOPIC, written_by="notices: its changelog",
        read_by="notices (recovery), `bopis notices`, projection",
    ),
    TopicDefinition(
        name=NOTICE_EVENTS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="notices", read_by="notifier, `bopis notices`, subscribers",
    ),
    TopicDefinition(
        name=PAYMENTS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX,
        written_by="orders, runner (answers), gateways' callbacks, desk, payments (ticks)", read_by="payments",
    ),
    TopicDefinition(
        name=PAYMENT_STATE_TOPIC, key="order", retention=Retention.NEWEST, migration=MigrationRule.ROWS,
        bytes_max=COMMIT_BYTES_MAX, rows_of=PAYMENTS_TOPIC, written_by="payments: its changelog",
        read_by="payments (recovery), `bopis payments`",
    ),
    TopicDefinition(
        name=PAYMENT_EVENTS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="payments", read_by="`bopis payments`, webhooks, subscribers",
    ),
    TopicDefinition(
        name=PAYMENT_CALLS_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="payments", read_by="payment-runner",
    ),
    TopicDefinition(
        name=ROUTING_SHADOW_TOPIC, key="order", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY,
        bytes_max=SOURCE_BYTES_MAX, written_by="routing", read_by="`bopis routing simulate`",
    ),
    TopicDefinition(
        name=DEAD_LETTERS_TOPIC, key="key of the source", retention=Retention.LETTERS,
        migration=MigrationRule.LETTERS, bytes_max=LETTER_BYTES_MAX, exact_partitions=False,
        written_by="any processor", read_by="operators",
    ),
    # One partition: marks are few, and readers need them in one order.
    TopicDefinition(
        name=DEAD_LETTER_MARKS_TOPIC, key="dead letter", retention=Retention.NEWEST, migration=MigrationRule.MARKS,
        partitions=1, exact_partitions=False, written_by="operators", read_by="operators",
    ),
    TopicDefinition(
        name=WORKERS_TOPIC, key="worker", retention=Retention.NEWEST, migration=MigrationRule.NOTHING,
        partitions=1, exact_partitions=False, written_by="every worker", read_by="bopis status",
    ),
)
# fmt: on
BY_NAME = {it.name: it for it in TOPICS}


class Installation(Protocol):
    """The settings that topics depend on."""

    @property
    def topic_prefix(self) -> str: ...
    @property
    def partitions(self) -> int: ...
    @property
    def replication_factor(self) -> int: ...
    @property
    def min_insync_replicas(self) -> int: ...
    @property
    def dead_letter_retention_days(self) -> int: ...
    @property
    def tombstone_retention_hours(self) -> int: ...
    @property
    def compacted_segment_mebibytes(self) -> int: ...


def plan(topic: TopicDefinition, settings: Installation) -> TopicPlan:
    """The plan of a topic in an installation with these settings."""
    return TopicPlan(
        name=settings.topic_prefix + topic.name,
        partitions=topic.partitions or settings.partitions,
        settings=(
            PlannedSetting("cleanup.policy", topic.cleanup),
            PlannedSetting(TIMESTAMP_TYPE, LOG_APPEND_TIME),
            PlannedSetting("max.message.bytes", str(topic.bytes_max), Comparison.AT_LEAST),
            *_retention(topic, settings),
            PlannedSetting(
                "min.insync.replicas", str(settings.min_insync_replicas), Comparison.AT_LEAST, required=False
            ),
        ),
        exact_partitions=topic.exact_partitions,
        replication_factor=settings.replication_factor,
    )


def plans(settings: Installation, names: Iterable[str] | None = None) -> tuple[TopicPlan, ...]:
    """The plans of the named topics; without names, of all topics."""
    chosen = TOPICS if names is None else [BY_NAME[name] for name in names]
    return tuple(plan(topic, settings) for topic in chosen)


def _retention(topic: TopicDefinition, settings: Installation) -> tuple[PlannedSetting, ...]:
    if topic.retention is Retention.NEWEST:
        # The active segment is never compacted: the smaller it is, the less a recovery reads. A reader that is away
        # for longer than tombstones are kept would not see that a row was deleted.
        return (
            PlannedSetting("segment.bytes", str(settings.compacted_segment_mebibytes << 20), required=False),
            PlannedSetting(
                "delete.retention.ms", str(settings.tombstone_retention_hours * HOUR_MS), Comparison.AT_LEAST, False
            ),
        )
    days = settings.dead_letter_retention_days if topic.retention is Retention.LETTERS else 0
    retention_ms = days * DAY_MS or FOR_EVER
    required = topic.retention is Retention.FOR_EVER
    return (
        PlannedSetting("retention.ms", str(retention_ms), required=required),
        PlannedSetting("retention.bytes", str(FOR_EVER), required=required),
    )
