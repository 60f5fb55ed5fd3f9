"""What each part of the product needs of a log with access rules, and nothing more.

READ and WRITE include DESCRIBE in Apache Kafka, and ALTER_CONFIGS includes DESCRIBE_CONFIGS, so those stand only where
nothing else brings them. An idempotent writer needs no right of its own: WRITE on its topic is enough (Apache Kafka 3.0
and later). No part needs the right to create topics: `bopis topics create` does that once, as the operator.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class Resource(StrEnum):
    """What a right is about, in the words of Apache Kafka's tool."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """What may be done with it, in the words of Apache Kafka's tool."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


class Right(msgspec.Struct, frozen=True):
    """Operations on one resource, named without the prefix; ``prefixed`` is every resource that begins so."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    why: str
    prefixed: bool = False


class Part(msgspec.Struct, frozen=True):
    """Somebody who speaks to the log under a name of its own."""

    name: str
    what: str
    rights: tuple[Right, ...]


class Rule(msgspec.Struct, frozen=True):
    """One right of one principal, with full names: a line for the log."""

    part: str
    principal: str
    resource: Resource
    name: str
    prefixed: bool
    operations: tuple[Operation, ...]
    why: str

    @property
    def command(self) -> str:
        """How Apache Kafka's own tool is told."""
        operations = " ".join(f"--operation {it.value}" for it in self.operations)
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        return f"--add --allow-principal {self.principal} {operations} --{self.resource} '{self.name}'{pattern}"


_R, _W, _D, _DC = Operation.READ, Operation.WRITE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS
_TOPIC, _GROUP = Resource.TOPIC, Resource.GROUP
_FITS = "fits what is needed?"

# fmt: off
PARTS: tuple[Part, ...] = (
    Part("inventory", "`bopis worker inventory`: decides", (
        Right(_TOPIC, "stock", (_R, _W, _DC), f"what it decides; ticks, announced transfers; {_FITS}"),
        Right(_TOPIC, "inventory-levels", (_R, _W, _DC), f"recovery; its rows and positions; {_FITS}"),
        Right(_TOPIC, "inventory-events", (_W, _DC), f"what it concludes; {_FITS}"),
        Right(_TOPIC, "orders", (_W, _DC), f"its answers to orders; {_FITS}"),
        Right(_TOPIC, "dead-letters", (_W, _DC), f"what it cannot take; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "inventory", (_R,), "its share of the partitions"),
        Right(Resource.TRANSACTIONAL_ID, "inventory-", (_W,), "the fence of each partition's writer", prefixed=True),
    )),
    Part("orders", "`bopis worker orders`: decides pickup orders", (
        Right(_TOPIC, "orders", (_R, _W, _DC), f"what it decides; ticks; {_FITS}"),
        Right(_TOPIC, "order-state", (_R, _W, _DC), f"recovery; its rows and positions; {_FITS}"),
        Right(_TOPIC, "order-events", (_W, _DC), f"what it concludes; {_FITS}"),
        Right(_TOPIC, "notices", (_W, _DC), f"what customers are to be told; {_FITS}"),
        Right(_TOPIC, "stock", (_W, _DC), f"holds that it asks for; {_FITS}"),
        Right(_TOPIC, "dead-letters", (_W, _DC), f"what it cannot take; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "orders", (_R,), "its share of the partitions"),
        Right(Resource.TRANSACTIONAL_ID, "orders-", (_W,), "the fence of each partition's writer", prefixed=True),
    )),
    Part("notices", "`bopis worker notices`: decides what customers are told", (
        Right(_TOPIC, "notices", (_R, _W, _DC), f"what it decides; ticks; {_FITS}"),
        Right(_TOPIC, "notice-state", (_R, _W, _DC), f"recovery; its rows and positions; {_FITS}"),
        Right(_TOPIC, "notice-events", (_W, _DC), f"what is to be sent, and what came of it; {_FITS}"),
        Right(_TOPIC, "dead-letters", (_W, _DC), f"what it cannot take; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "notices", (_R,), "its share of the partitions"),
        Right(Resource.TRANSACTIONAL_ID, "notices-", (_W,), "the fence of each partition's writer", prefixed=True),
    )),
    Part("notifier", "`bopis worker notifier`: sends mails, texts and webhooks", (
        Right(_TOPIC, "notice-events", (_R, _DC), f"what is to be sent; {_FITS}"),
        Right(_TOPIC, "stores", (_R, _DC), f"addresses, hours, time zones; {_FITS}"),
        Right(_TOPIC, "catalogue", (_R, _DC), f"names of articles; {_FITS}"),
        Right(_TOPIC, "notices", (_W, _DC), f"what came of it; {_FITS}"),
        Right(_TOPIC, "dead-letters", (_W, _DC), f"what it cannot take; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "notifier", (_R,), "its share of the partitions, and how far it has sent"),
    )),
    Part("projection", "`bopis worker projection`: copies the log into the read side", (
        Right(_TOPIC, "stock", (_R, _DC), f"history; {_FITS}"),
        Right(_TOPIC, "inventory-levels", (_R, _DC), f"levels; {_FITS}"),
        Right(_TOPIC, "stores", (_R, _DC), f"places; {_FITS}"),
        Right(_TOPIC, "orders", (_R, _DC), f"how stores were chosen; {_FITS}"),
        Right(_TOPIC, "order-state", (_R, _DC), f"orders as they stand; {_FITS}"),
        Right(_TOPIC, "order-events", (_R, _DC), f"what happened to orders; {_FITS}"),
        Right(_TOPIC, "notice-state", (_R, _DC), f"what customers were told; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "projection", (_R,), "its share of the partitions"),
    )),
    Part("routing", "`bopis worker routing`: chooses the stores of orders", (
        Right(_TOPIC, "order-events", (_R, _DC), f"what it is asked; {_FITS}"),
        Right(_TOPIC, "order-state", (_R, _DC), f"open orders; {_FITS}"),
        Right(_TOPIC, "inventory-levels", (_R, _DC), f"what may be promised; {_FITS}"),
        Right(_TOPIC, "stores", (_R, _DC), f"hours, places, capacity; {_FITS}"),
        Right(_TOPIC, "orders", (_W, _DC), f"its answers; {_FITS}"),
        Right(_TOPIC, "routing-shadow", (_W, _DC), f"what a candidate rule set would have decided; {_FITS}"),
        Right(_TOPIC, "dead-letters", (_W, _DC), f"what it cannot take; {_FITS}"),
        Right(_TOPIC, "workers", (_W, _DC), f"how it is; {_FITS}"),
        Right(_GROUP, "routing", (_R,), "its share of the partitions"),
    )),
    Part("till", "a till or a store agent: says what happened in a store", (
        Right(_TOPIC, "stock", (_W,), "sales, returns, counts, heartbeats"),
    )),
    Part("desk", "staff at the keyboard: `bopis stock`, `bopis stores`", (
        Right(_TOPIC, "stock", (_W,), "what staff say"),
        Right(_TOPIC, "stores", (_W,), "`bopis stores import`"),
        Right(_TOPIC, "inventory-events", (_R,), "what came of it"),
        Right(_TOPIC, "dead-letters", (_R,), "whether it was parked"),
    )),
    Part("counter", "staff with a customer waiting: `bopis order`, `bopis pickup`, `bopis catalogue`, `bopis board`", (
        Right(_TOPIC, "orders", (_W,), "what customers and staff say to an order"),
        Right(_TOPIC, "order-events", (_R,), "what came of it"),
        Right(_TOPIC, "order-state", (_R,), "orders as they stand"),
        Right(_TOPIC, "catalogue", (_R, _W), "names, GTINs, kits; `bopis catalogue import`"),
        Right(_TOPIC, "stores", (_R,), "names and time zones"),
        Right(_TOPIC, "notices", (_W,), "`bopis notices resend`"),
        Right(_TOPIC, "notice-events", (_R,), "what came of it"),
        Right(_TOPIC, "notice-state", (_R,), "what was sent, and why not"),
        Right(_TOPIC, "dead-letters", (_R,), "whether it was parked"),
    )),
    Part("operator", "`bopis topics`, `bopis dead-letters`, `bopis replay`, `bopis doctor`", (
        Right(_TOPIC, "", (_R, _W, Operation.CREATE, Operation.ALTER_CONFIGS),
              "creates, checks, moves and reads every topic; sends dead letters again", prefixed=True),
        Right(_GROUP, "", (_D,), "who runs, and how far behind", prefixed=True),
    )),
    Part("auditor", "`bopis verify`, `bopis status`, `bopis topics tail`: looks and changes nothing", (
        Right(_TOPIC, "", (_R, _DC), "reads every topic", prefixed=True),
        Right(_GROUP, "", (_D,), "who runs, and how far behind", prefixed=True),
    )),
)
# fmt: on


def rules(topic_prefix: str, principal_prefix: str) -> Iterator[Rule]:
    """The whole table with the names of an installation. Groups and writers' names have the topics' prefix, too."""
    for part in PARTS:
        for right in part.rights:
            name = topic_prefix + right.name
            yield Rule(
                part=part.name,
                principal=principal_prefix + part.name,
                resource=right.resource,
                # Without any prefix the tool wants its own word for everything.
                name=name or "*",
                prefixed=right.prefixed and bool(name),
                operations=right.operations,
                why=right.why,
            )
