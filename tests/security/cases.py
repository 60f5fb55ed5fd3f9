"""Every right in the table, taken away once."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bopis.names import PROCESSORS, WORKERS_TOPIC
from bopis.topics.acls import PARTS, AccessRight, AccessRule, Operation, rules

SETTINGS = Operation.DESCRIBE_CONFIGS
PEOPLE = ("till", "desk", "operator", "auditor")


class Case(NamedTuple):
    """A user with all rights of a part but one, on topics of its own."""

    number: int
    part: str
    right: AccessRight
    operation: Operation

    @property
    def user(self) -> str:
        return f"{self.part}-{self.number}"

    @property
    def prefix(self) -> str:
        return f"case{self.number}."

    @property
    def name(self) -> str:
        """The full name of what the missing right is about."""
        return self.prefix + self.right.name

    def rights(self) -> list[AccessRule]:
        """The remaining rights of this user."""
        left = []
        for it in all_rights(self.part, self.user, self.prefix):
            is_it = (it.resource, it.name) == (self.right.resource, self.name)
            kept = tuple(operation for operation in it.operations if not (is_it and operation is self.operation))
            if kept:
                left.append(msgspec.structs.replace(it, operations=kept))
        return left

    def __str__(self) -> str:
        return f"{self.part} without {self.operation} on {self.right.resource} {self.right.name or 'any'}"


class Blind(NamedTuple):
    """A user with all rights of a processor but those to read the settings of its topics, on topics of its own."""

    part: str

    @property
    def user(self) -> str:
        return f"{self.part}-blind"

    @property
    def prefix(self) -> str:
        return f"blind-{self.part}."

    def rights(self) -> list[AccessRule]:
        """The remaining rights of this user."""
        rights = all_rights(self.part, self.user, self.prefix)
        kept = [(it, tuple(one for one in it.operations if one is not SETTINGS)) for it in rights]
        return [msgspec.structs.replace(it, operations=operations) for it, operations in kept if operations]

    def topics(self) -> list[str]:
        """The full names of the topics whose settings this user may not read."""
        rights = all_rights(self.part, self.user, self.prefix)
        return sorted(it.name for it in rights if SETTINGS in it.operations and not it.name.endswith(WORKERS_TOPIC))


def all_rights(part: str, user: str, prefix: str) -> list[AccessRule]:
    """The rights of a part for a user."""
    mine = [it for it in rules(prefix, "User:") if it.part == part]
    return [msgspec.structs.replace(it, principal=f"User:{user}") for it in mine]


def _every() -> tuple[Case, ...]:
    there = [it for it in PARTS if it.name in PROCESSORS or it.name in PEOPLE]
    found = [(part.name, right, it) for part in there for right in part.rights for it in right.operations]
    # A processor reads the settings of its topics in one request, and names every right that it lacks for it. Those of
    # its reports are read later, and a refusal ends nothing.
    alone = [it for it in found if it[0] in PEOPLE or it[2] is not SETTINGS or it[1].name == WORKERS_TOPIC]
    return tuple(Case(number, *it) for number, it in enumerate(alone, 1))


CASES = _every()
BLIND = tuple(Blind(it.name) for it in PARTS if it.name in PROCESSORS)
