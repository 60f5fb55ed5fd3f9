"""Every topic of the product: its key, how it is kept, who writes and who reads it. A new topic is one line here.

Whoever creates, checks, moves or explains topics asks here, so that they agree.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

import msgspec

from bopis.topics.plans import FOR_EVER, LOG_APPEND_TIME, TIMESTAMP_TYPE, Rule, TopicPlan, Wanted

# The largest batch that each kind of topic takes. A commit of a processor is one batch, so changelogs take most.
RECORD_BYTES_MAX = 1 << 20
SOURCE_BYTES_MAX = 8 << 20
LETTER_BYTES_MAX = 9 << 20
COMMIT_BYTES_MAX = 32 << 20

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Kept(Enum):
    """How long records stay."""

    FOR_EVER = "for ever"
    NEWEST = "the newest of each key"
    LETTERS = "for ever, or as dead_letter_retention_days says"


class Moved(Enum):
    """What `bopis topics migrate` does with a topic; in this order, because each needs what stands above it."""

    STOCK = "each store's messages in their order, with their times"
    EVERY = "every record in its order, with its time"
    ROWS = "each row to the partition of its messages, with the position that it stands for"
    NEWEST = "the newest record of each key"
    LETTERS = "every record, telling where its message stands now"
    MARKS = "the newest record of each key, named by where its message stands now"
    NOTHING = "not moved: it tells of running processes"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic, named without the prefix. ``partitions`` 0 means: as many as the setting says; ``rows_of`` names the
    topic whose messages a changelog's rows come from, key by key in the same partitions."""

    name: str
    key: str
    kept: Kept
    moved: Moved
    written_by: str
    read_by: str
    bytes_max: int = RECORD_BYTES_MAX
    partitions: int = 0
    rows_of: str = ""
    exact_partitions: bool = True

    @property
    def cleanup(self) -> str:
        """The setting ``cleanup.policy``."""
        return "compact" if self.kept is Kept.NEWEST else "delete"


# fmt: off
TOPICS: tuple[Topic, ...] = (
    Topic(name="stock", key="store", kept=Kept.FOR_EVER, moved=Moved.STOCK, bytes_max=SOURCE_BYTES_MAX,
          written_by="tills, agents, desks, inventory (ticks, announcements)", read_by="inventory, projection, verify"),
    Topic(name="inventory-levels", key="store|sku", kept=Kept.NEWEST, moved=Moved.ROWS, bytes_max=COMMIT_BYTES_MAX,
          rows_of="stock", written_by="inventory: its changelog",
          read_by="inventory (recovery), projection, routing, subscribers"),
    Topic(name="inventory-events", key="store", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="inventory", read_by="verify, subscribers"),
    Topic(name="stores", key="store", kept=Kept.NEWEST, moved=Moved.NEWEST,
          written_by="imports, operators", read_by="projection, routing"),
    Topic(name="catalogue", key="SKU", kept=Kept.NEWEST, moved=Moved.NEWEST,
          written_by="imports, operators", read_by="checkout, counter"),
    Topic(name="orders", key="order", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="customers' channels, inventory and routing (answers), orders (ticks)",
          read_by="orders, routing, projection"),
    Topic(name="order-state", key="order", kept=Kept.NEWEST, moved=Moved.ROWS, bytes_max=COMMIT_BYTES_MAX,
          rows_of="orders", written_by="orders: its changelog", read_by="orders (recovery), routing, projection"),
    Topic(name="order-events", key="order", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="orders", read_by="routing, projection, subscribers"),
    Topic(name="notices", key="order", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="orders, staff, notifier (answers), notices (ticks)", read_by="notices"),
    Topic(name="notice-state", key="order", kept=Kept.NEWEST, moved=Moved.ROWS, bytes_max=COMMIT_BYTES_MAX,
          rows_of="notices", written_by="notices: its changelog",
          read_by="notices (recovery), `bopis notices`, projection"),
    Topic(name="notice-events", key="order", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="notices", read_by="notifier, `bopis notices`, subscribers"),
    Topic(name="routing-shadow", key="order", kept=Kept.FOR_EVER, moved=Moved.EVERY, bytes_max=SOURCE_BYTES_MAX,
          written_by="routing", read_by="`bopis routing simulate`"),
    Topic(name="dead-letters", key="key of the source", kept=Kept.LETTERS, moved=Moved.LETTERS,
          bytes_max=LETTER_BYTES_MAX, exact_partitions=False, written_by="any processor", read_by="operators"),
    # One partition: marks are few, and one order over all of them is worth more than speed.
    Topic(name="dead-letter-marks", key="dead letter", kept=Kept.NEWEST, moved=Moved.MARKS, partitions=1,
          exact_partitions=False, written_by="operators", read_by="operators"),
    Topic(name="workers", key="worker", kept=Kept.NEWEST, moved=Moved.NOTHING, partitions=1,
          exact_partitions=False, written_by="every worker", read_by="bopis status"),
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


def plan(topic: Topic, settings: Installation) -> TopicPlan:
    """How a topic must be in an installation with these settings."""
    return TopicPlan(
        name=settings.topic_prefix + topic.name,
        partitions=topic.partitions or settings.partitions,
        wanted=(
            Wanted("cleanup.policy", topic.cleanup),
            Wanted(TIMESTAMP_TYPE, LOG_APPEND_TIME),
            Wanted("max.message.bytes", str(topic.bytes_max), Rule.AT_LEAST),
            *_keeping(topic, settings),
            Wanted("min.insync.replicas", str(settings.min_insync_replicas), Rule.AT_LEAST, required=False),
        ),
        exact_partitions=topic.exact_partitions,
        replication_factor=settings.replication_factor,
    )


def plans(settings: Installation, names: Iterable[str] | None = None) -> tuple[TopicPlan, ...]:
    """How the named topics must be; without names, all of them."""
    chosen = TOPICS if names is None else [BY_NAME[name] for name in names]
    return tuple(plan(it, settings) for it in chosen)


def _keeping(topic: Topic, settings: Installation) -> tuple[Wanted, ...]:
    if topic.kept is Kept.NEWEST:
        # The open segment is never compacted: the smaller it is, the less a recovery reads. A reader that was away
        # for longer than tombstones are kept would miss that a row is gone.
        return (
            Wanted("segment.bytes", str(settings.compacted_segment_mebibytes << 20), required=False),
            Wanted("delete.retention.ms", str(settings.tombstone_retention_hours * HOUR_MS), Rule.AT_LEAST, False),
        )
    days = settings.dead_letter_retention_days if topic.kept is Kept.LETTERS else 0
    retention_ms = days * DAY_MS or FOR_EVER
    required = topic.kept is Kept.FOR_EVER
    return (
        Wanted("retention.ms", str(retention_ms), required=required),
        Wanted("retention.bytes", str(FOR_EVER), required=required),
    )
