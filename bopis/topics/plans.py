"""How a topic must be, how it is, and where the two differ. Pure; names of settings are Apache Kafka's."""

from enum import Enum

import msgspec

PARTITIONS = "partitions"
REPLICATION = "replication factor"
TIMESTAMP_TYPE = "message.timestamp.type"
LOG_APPEND_TIME = "LogAppendTime"
CREATE_TIME = "CreateTime"
FOR_EVER = -1


class Rule(Enum):
    """How a setting is compared with what is wanted."""

    EQUAL = "equal"
    AT_LEAST = "at least"


class Wanted(msgspec.Struct, frozen=True):
    """One setting of a topic. What is ``required`` keeps answers exact; the rest makes it quicker or safer."""

    setting: str
    value: str
    rule: Rule = Rule.EQUAL
    required: bool = True

    def fits(self, found: str) -> bool:
        """Whether a topic with this value is as wanted."""
        if self.rule is Rule.EQUAL:
            return {it.strip() for it in found.split(",")} == set(self.value.split(","))
        return found.isdigit() and int(found) >= int(self.value)


class TopicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a topic must be, by its full name. ``exact_partitions``: a key's place is where its rows are, so the
    number of partitions must be the one that was planned."""

    name: str
    partitions: int
    wanted: tuple[Wanted, ...]
    exact_partitions: bool
    replication_factor: int = 1

    def config(self) -> dict[str, str]:
        """The settings to create it with."""
        return {it.setting: it.value for it in self.wanted}


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """How a topic is: every setting with the value that counts, its own or the log's default."""

    partitions: int
    replication_factor: int
    settings: dict[str, str]


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about a topic that is not as planned, and what mends it. Without ``required`` it does no harm."""

    topic: str
    setting: str
    found: str
    needed: str
    required: bool
    mend: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, needed is {self.needed}. {self.mend}"


def misfits(plan: TopicPlan, state: TopicState) -> tuple[Misfit, ...]:
    """Everything about an existing topic that is not as planned; what is required comes first."""
    found = []
    if plan.exact_partitions and state.partitions != plan.partitions:
        found.append(_partitions(plan, state))
    for wanted in plan.wanted:
        value = state.settings.get(wanted.setting, "(not told)")
        if not wanted.fits(value):
            found.append(_setting(plan, wanted, value))
    if state.replication_factor < plan.replication_factor:
        found.append(_replication(plan, state))
    return tuple(sorted(found, key=lambda it: not it.required))


def _partitions(plan: TopicPlan, state: TopicState) -> Misfit:
    mend = (
        f"Set partitions to {state.partitions}, which it has. A keyed topic keeps its number of partitions: with "
        "another one its keys would move away from their rows. To have another number, move everything to a new "
        f"prefix: `bopis topics migrate --to-prefix NEW --partitions {plan.partitions}`."
    )
    return _misfit(plan, (PARTITIONS, str(state.partitions), str(plan.partitions)), mend)


def _setting(plan: TopicPlan, wanted: Wanted, found: str) -> Misfit:
    mend = f"`bopis topics set {plan.name} {wanted.setting}={wanted.value}` mends it."
    if wanted.setting == TIMESTAMP_TYPE:
        mend = f"If `bopis topics migrate` into this prefix has not finished, run it again. Otherwise {mend}"
    needed = wanted.value if wanted.rule is Rule.EQUAL else f"at least {wanted.value}"
    if wanted.value == str(FOR_EVER):
        needed = f"{FOR_EVER} (kept for ever)"
    return _misfit(plan, (wanted.setting, found, needed), mend, required=wanted.required)


def _replication(plan: TopicPlan, state: TopicState) -> Misfit:
    mend = "Apache Kafka's kafka-reassign-partitions.sh adds copies."
    said = (REPLICATION, str(state.replication_factor), str(plan.replication_factor))
    return _misfit(plan, said, mend, required=False)


def _misfit(plan: TopicPlan, said: tuple[str, str, str], mend: str, *, required: bool = True) -> Misfit:
    setting, found, needed = said
    return Misfit(topic=plan.name, setting=setting, found=found, needed=needed, required=required, mend=mend)
