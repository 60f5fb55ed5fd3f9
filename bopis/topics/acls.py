"""The least rights that each part of the product needs of a log with access rules.

In Apache Kafka, READ and WRITE include DESCRIBE, and ALTER_CONFIGS includes DESCRIBE_CONFIGS; included rights are not
listed. An idempotent producer needs WRITE on its topic and no right of its own (Apache Kafka 3.0 and later). Only the
operator needs the right to create topics: `bopis topics create` does that once.
"""

from collections.abc import Iterator
from enum import StrEnum

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


class Resource(StrEnum):
    """Types of resources, as `kafka-acls.sh` names them."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """Operations on a resource, as `kafka-acls.sh` names them."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


class AccessRight(msgspec.Struct, frozen=True):
    """Operations on one resource, named without the prefix; `prefixed`: on every resource whose name begins with it."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    why: str
    prefixed: bool = False


class ProductPart(msgspec.Struct, frozen=True):
    """A part of the product that logs in to the log under a name of its own, with the rights that it needs."""

    name: str
    description: str
    rights: tuple[AccessRight, ...]


class AccessRule(msgspec.Struct, frozen=True):
    """One right of one principal, with full names."""

    part: str
    principal: str
    resource: Resource
    name: str
    prefixed: bool
    operations: tuple[Operation, ...]
    why: str

    @property
    def command(self) -> str:
        """The arguments of `kafka-acls.sh` that grant it."""
        operations = " ".join(f"--operation {it.value}" for it in self.operations)
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        return f"--add --allow-principal {self.principal} {operations} --{self.resource} '{self.name}'{pattern}"


_R, _W, _D, _DC = Operation.READ, Operation.WRITE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS
_TOPIC, _GROUP, _WRITER = Resource.TOPIC, Resource.GROUP, Resource.TRANSACTIONAL_ID
_CHECK = "settings check"

# fmt: off
PARTS: tuple[ProductPart, ...] = (
    ProductPart("inventory", "`bopis worker inventory`: decides stock messages", (
        AccessRight(_TOPIC, STOCK_TOPIC, (_R, _W, _DC), f"input messages; ticks, announced transfers; {_CHECK}"),
        AccessRight(_TOPIC, LEVELS_TOPIC, (_R, _W, _DC), f"recovery; rows and positions; {_CHECK}"),
        AccessRight(_TOPIC, CATALOGUE_TOPIC, (_R, _DC), f"codes and kits; {_CHECK}"),
        AccessRight(_TOPIC, INVENTORY_EVENTS_TOPIC, (_W, _DC), f"events; {_CHECK}"),
        AccessRight(_TOPIC, ORDERS_TOPIC, (_W, _DC), f"replies to orders; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "inventory", (_R,), "partition assignment"),
        AccessRight(_WRITER, "inventory-", (_W,), "fencing of each partition's writer", prefixed=True),
    )),
    ProductPart("orders", "`bopis worker orders`: decides pickup orders", (
        AccessRight(_TOPIC, ORDERS_TOPIC, (_R, _W, _DC), f"input messages; ticks; {_CHECK}"),
        AccessRight(_TOPIC, ORDER_STATE_TOPIC, (_R, _W, _DC), f"recovery; rows and positions; {_CHECK}"),
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_W, _DC), f"events; {_CHECK}"),
        AccessRight(_TOPIC, NOTICES_TOPIC, (_W, _DC), f"notices that are due; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_W, _DC), f"requests to payments; {_CHECK}"),
        AccessRight(_TOPIC, STOCK_TOPIC, (_W, _DC), f"requests for holds; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "orders", (_R,), "partition assignment"),
        AccessRight(_WRITER, "orders-", (_W,), "fencing of each partition's writer", prefixed=True),
    )),
    ProductPart("payments", "`bopis worker payments`: decides what gateways are asked", (
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_R, _W, _DC), f"input messages; ticks; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENT_STATE_TOPIC, (_R, _W, _DC), f"recovery; rows and positions; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENT_EVENTS_TOPIC, (_W, _DC), f"events; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENT_CALLS_TOPIC, (_W, _DC), f"calls for the runner; {_CHECK}"),
        AccessRight(_TOPIC, ORDERS_TOPIC, (_W, _DC), f"answers to orders; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "payments", (_R,), "partition assignment"),
        AccessRight(_WRITER, "payments-", (_W,), "fencing of each partition's writer", prefixed=True),
    )),
    ProductPart("payment-runner", "`bopis worker payment-runner`: calls the payment gateways", (
        AccessRight(_TOPIC, PAYMENT_CALLS_TOPIC, (_R, _DC), f"calls; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_W, _DC), f"gateways' answers; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "payment-runner", (_R,), "partition assignment, committed offsets"),
    )),
    ProductPart("callbacks", "`bopis payments listen`: receives the gateways' callbacks", (
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_W,), "reports of gateways"),
        AccessRight(_TOPIC, PAYMENT_STATE_TOPIC, (_R,), "the order of a charge that a gateway names by its reference"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W,), "callbacks about payments that are not ours"),
    )),
    ProductPart("notices", "`bopis worker notices`: decides which notices are sent", (
        AccessRight(_TOPIC, NOTICES_TOPIC, (_R, _W, _DC), f"input messages; ticks; {_CHECK}"),
        AccessRight(_TOPIC, NOTICE_STATE_TOPIC, (_R, _W, _DC), f"recovery; rows and positions; {_CHECK}"),
        AccessRight(_TOPIC, NOTICE_EVENTS_TOPIC, (_W, _DC), f"deliveries that are due, and their results; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "notices", (_R,), "partition assignment"),
        AccessRight(_WRITER, "notices-", (_W,), "fencing of each partition's writer", prefixed=True),
    )),
    ProductPart("notifier", "`bopis worker notifier`: sends mails, texts and webhooks", (
        AccessRight(_TOPIC, NOTICE_EVENTS_TOPIC, (_R, _DC), f"deliveries that are due; {_CHECK}"),
        AccessRight(_TOPIC, STORES_TOPIC, (_R, _DC), f"addresses, hours, time zones; {_CHECK}"),
        AccessRight(_TOPIC, CATALOGUE_TOPIC, (_R, _DC), f"names of articles; {_CHECK}"),
        AccessRight(_TOPIC, NOTICES_TOPIC, (_W, _DC), f"results of deliveries; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "notifier", (_R,), "partition assignment, committed offsets"),
    )),
    ProductPart("projection", "`bopis worker projection`: copies the log into the read side", (
        AccessRight(_TOPIC, STOCK_TOPIC, (_R, _DC), f"history; {_CHECK}"),
        AccessRight(_TOPIC, LEVELS_TOPIC, (_R, _DC), f"levels; {_CHECK}"),
        AccessRight(_TOPIC, STORES_TOPIC, (_R, _DC), f"stores; {_CHECK}"),
        AccessRight(_TOPIC, ORDERS_TOPIC, (_R, _DC), f"routing decisions; {_CHECK}"),
        AccessRight(_TOPIC, ORDER_STATE_TOPIC, (_R, _DC), f"current orders; {_CHECK}"),
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_R, _DC), f"order events; {_CHECK}"),
        AccessRight(_TOPIC, NOTICE_STATE_TOPIC, (_R, _DC), f"notices; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "projection", (_R,), "partition assignment"),
    )),
    ProductPart("routing", "`bopis worker routing`: chooses the stores of orders", (
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_R, _DC), f"routing requests; {_CHECK}"),
        AccessRight(_TOPIC, ORDER_STATE_TOPIC, (_R, _DC), f"open orders; {_CHECK}"),
        AccessRight(_TOPIC, LEVELS_TOPIC, (_R, _DC), f"availability; {_CHECK}"),
        AccessRight(_TOPIC, STORES_TOPIC, (_R, _DC), f"hours, locations, capacity; {_CHECK}"),
        AccessRight(_TOPIC, ORDERS_TOPIC, (_W, _DC), f"routing decisions; {_CHECK}"),
        AccessRight(_TOPIC, ROUTING_SHADOW_TOPIC, (_W, _DC), f"decisions of the candidate rules; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"messages that it cannot process; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "routing", (_R,), "partition assignment"),
    )),
    ProductPart("webhooks", "`bopis worker webhooks`: posts events to subscribers", (
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_R, _DC), f"events of orders; {_CHECK}"),
        AccessRight(_TOPIC, PAYMENT_EVENTS_TOPIC, (_R, _DC), f"events of payments; {_CHECK}"),
        AccessRight(_TOPIC, INVENTORY_EVENTS_TOPIC, (_R, _DC), f"events of stock; {_CHECK}"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_W, _DC), f"events that it cannot read; {_CHECK}"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_W, _DC), f"worker status; {_CHECK}"),
        AccessRight(_GROUP, "webhooks", (_R,), "partition assignment, committed offsets"),
    )),
    ProductPart("till", "a till or a store agent: reports from a store", (
        AccessRight(_TOPIC, STOCK_TOPIC, (_W,), "sales, returns, counts, heartbeats"),
    )),
    ProductPart("desk", "staff at a keyboard: `bopis stock`, `bopis stores`", (
        AccessRight(_TOPIC, STOCK_TOPIC, (_W,), "reports of staff"),
        AccessRight(_TOPIC, STORES_TOPIC, (_R, _W), "`bopis stores import`: known and new values"),
        AccessRight(_TOPIC, CATALOGUE_TOPIC, (_R,), "codes, units, kits"),
        AccessRight(_TOPIC, INVENTORY_EVENTS_TOPIC, (_R,), "replies"),
        AccessRight(_TOPIC, LEVELS_TOPIC, (_R,), "positions: which messages are decided"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_R,), "parked messages"),
    )),
    ProductPart("counter", "staff with a customer: `bopis order`, `bopis pickup`, `bopis catalogue`, `bopis board`", (
        AccessRight(_TOPIC, ORDERS_TOPIC, (_W,), "commands to orders"),
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_R,), "replies"),
        AccessRight(_TOPIC, ORDER_STATE_TOPIC, (_R,), "current orders"),
        AccessRight(_TOPIC, CATALOGUE_TOPIC, (_R, _W), "names, GTINs, kits; `bopis catalogue import`"),
        AccessRight(_TOPIC, STORES_TOPIC, (_R,), "names and time zones"),
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_W,), "commands to payments"),
        AccessRight(_TOPIC, PAYMENT_EVENTS_TOPIC, (_R,), "replies, history"),
        AccessRight(_TOPIC, PAYMENT_STATE_TOPIC, (_R,), "current payments"),
        AccessRight(_TOPIC, NOTICES_TOPIC, (_W,), "`bopis notices resend`"),
        AccessRight(_TOPIC, NOTICE_EVENTS_TOPIC, (_R,), "replies"),
        AccessRight(_TOPIC, NOTICE_STATE_TOPIC, (_R,), "status of notices"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_R,), "parked messages"),
    )),
    ProductPart("web", "`bopis web`: the API and the pages", (
        AccessRight(_TOPIC, STORES_TOPIC, (_R,), "stores and their hours, in memory"),
        AccessRight(_TOPIC, CATALOGUE_TOPIC, (_R,), "articles, in memory"),
        AccessRight(_TOPIC, LEVELS_TOPIC, (_R,), "availability, in memory; positions"),
        AccessRight(_TOPIC, ORDER_STATE_TOPIC, (_R,), "current orders; positions"),
        AccessRight(_TOPIC, ORDERS_TOPIC, (_R, _W), "orders and commands; routing decisions"),
        AccessRight(_TOPIC, ORDER_EVENTS_TOPIC, (_R,), "replies, history"),
        AccessRight(_TOPIC, PAYMENTS_TOPIC, (_W,), "commands to payments, reports of gateways"),
        AccessRight(_TOPIC, PAYMENT_EVENTS_TOPIC, (_R,), "replies, history"),
        AccessRight(_TOPIC, PAYMENT_STATE_TOPIC, (_R,), "current payments; positions"),
        AccessRight(_TOPIC, STOCK_TOPIC, (_R, _W), "messages of tills, policies; history"),
        AccessRight(_TOPIC, INVENTORY_EVENTS_TOPIC, (_R,), "replies"),
        AccessRight(_TOPIC, NOTICES_TOPIC, (_W,), "resent notices"),
        AccessRight(_TOPIC, NOTICE_EVENTS_TOPIC, (_R,), "replies"),
        AccessRight(_TOPIC, NOTICE_STATE_TOPIC, (_R,), "status of notices; positions"),
        AccessRight(_TOPIC, DEAD_LETTERS_TOPIC, (_R, _W), "parked messages; callbacks that are not ours"),
        AccessRight(_TOPIC, DEAD_LETTER_MARKS_TOPIC, (_R, _W), "retried and discarded dead letters"),
        AccessRight(_TOPIC, WORKERS_TOPIC, (_R,), "workers, on pages and in figures"),
    )),
    ProductPart("operator", "`bopis topics`, `bopis dead-letters`, `bopis replay`, `bopis doctor`", (
        AccessRight(_TOPIC, "", (_R, _W, Operation.CREATE, Operation.ALTER_CONFIGS),
              "creates, checks, moves and reads every topic; retries dead letters", prefixed=True),
        AccessRight(_GROUP, "", (_D,), "members and lag", prefixed=True),
    )),
    ProductPart("auditor", "`bopis verify`, `bopis status`, `bopis topics tail`: reads only", (
        AccessRight(_TOPIC, "", (_R, _DC), "reads every topic", prefixed=True),
        AccessRight(_GROUP, "", (_D,), "members and lag", prefixed=True),
    )),
)
# fmt: on


def rules(topic_prefix: str, principal_prefix: str) -> Iterator[AccessRule]:
    """Every rule, with the names of an installation. Groups and transactional ids have the topics' prefix, too."""
    for part in PARTS:
        for right in part.rights:
            name = topic_prefix + right.name
            yield AccessRule(
                part=part.name,
                principal=principal_prefix + part.name,
                resource=right.resource,
                # Without a prefix, Apache Kafka writes every resource as a star.
                name=name or "*",
                prefixed=right.prefixed and bool(name),
                operations=right.operations,
                why=right.why,
            )
