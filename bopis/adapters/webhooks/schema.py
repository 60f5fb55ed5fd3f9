"""Tables of webhooks: subscriptions, deliveries, and how far the log was read for them."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

from bopis.domain.values import DERIVED_ID_LENGTH_MAX, ID_LENGTH_MAX

STATE_LENGTH = 16
TOPIC_LENGTH = 300

metadata = MetaData()
subscriptions = Table(
    "webhook_subscription",
    metadata,
    Column("id", String(ID_LENGTH_MAX), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("stores", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("state", String(STATE_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("failing_since_ms", BigInteger, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("old_secret", LargeBinary, nullable=False),
    Column("old_secret_until_ms", BigInteger, nullable=False),
)
deliveries = Table(
    "webhook_delivery",
    metadata,
    Column("id", String(ID_LENGTH_MAX), primary_key=True),
    Column("subscription", String(ID_LENGTH_MAX), nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", String(DERIVED_ID_LENGTH_MAX), nullable=False),
    Column("store", Text),
    Column("body", LargeBinary, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("state", String(STATE_LENGTH), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
    Column("attempted_ms", BigInteger, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("response", Text, nullable=False),
    # The earliest pending one of a subject; those that are due; pages of a list; those that are old.
    Index("webhook_delivery_subject", "subscription", "subject", "state"),
    Index("webhook_delivery_due", "state", "subscription", "next_ms"),
    Index("webhook_delivery_list", "subscription", "recorded_ms", "id"),
    Index("webhook_delivery_age", "recorded_ms"),
)
positions = Table(
    "webhook_position",
    metadata,
    Column("topic", String(TOPIC_LENGTH), primary_key=True),
    Column("partition", Integer, primary_key=True),
    # The first offset that is not read.
    Column("next_offset", BigInteger, nullable=False),
)
