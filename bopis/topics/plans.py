"""The planned and the actual state of a topic, and their differences. Pure; settings have Apache Kafka's names."""

from enum import Enum

import msgspec

PARTITIONS = "partitions"
REPLICATION = "replication factor"
TIMESTAMP_TYPE = "message.timestamp.type"
LOG_APPEND_TIME = "LogAppendTime"
CREATE_TIME = "CreateTime"
FOR_EVER = -1


class Comparison(Enum):
    """How an actual value is compared with the planned one."""

    EQUAL = "equal"
    AT_LEAST = "at least"


class PlannedSetting(msgspec.Struct, frozen=True):
    """One setting of a topic. A `required` setting keeps answers exact; others make the product faster or safer."""

    setting: str
    value: str
    rule: Comparison = Comparison.EQUAL
    required: bool = True

    def fits(self, actual: str) -> bool:
        """Whether an actual value meets the plan."""
        if self.rule is Comparison.EQUAL:
            return {part.strip() for part in actual.split(",")} == set(self.value.split(","))
        return actual.isdigit() and int(actual) >= int(self.value)


class TopicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a topic, with its full name. `exact_partitions`: the number of partitions must be the planned one,
    because it decides in which partition a key's messages and rows are."""

    name: str
    partitions: int
    settings: tuple[PlannedSetting, ...]
    exact_partitions: bool
    replication_factor: int = 1

    def config(self) -> dict[str, str]:
        """The settings for creating the topic."""
        return {planned.setting: planned.value for planned in self.settings}


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """The actual state of a topic: every setting with its effective value, the topic's own or the log's default."""

    partitions: int
    replication_factor: int
    settings: dict[str, str]


class TopicDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between a topic and its plan, and how to correct it. Without `required` it is harmless."""

    topic: str
    setting: str
    found: str
    needed: str
    required: bool
    mend: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, needed is {self.needed}. {self.mend}"


def differences(plan: TopicPlan, state: TopicState) -> tuple[TopicDifference, ...]:
    """Every difference between an existing topic and its plan, the required ones first."""
    found = []
    if plan.exact_partitions and state.partitions != plan.partitions:
        found.append(_partitions(plan, state))
    for planned in plan.settings:
        actual = state.settings.get(planned.setting, "(unknown)")
        if not planned.fits(actual):
            found.append(_setting(plan, planned, actual))
    if state.replication_factor < plan.replication_factor:
        found.append(_replication(plan, state))
    return tuple(sorted(found, key=lambda it: not it.required))


def _partitions(plan: TopicPlan, state: TopicState) -> TopicDifference:
    return TopicDifference(
        topic=plan.name,
        setting=PARTITIONS,
        found=str(state.partitions),
        needed=str(plan.partitions),
        required=True,
        mend=(
            f"Set partitions to {state.partitions}, the topic's own number. A keyed topic keeps its number of "
            "partitions: with another number its keys would move away from their rows. To change the number, move all "
            f"topics to a new prefix: `bopis topics migrate --to-prefix NEW --partitions {plan.partitions}`."
        ),
    )


def _setting(plan: TopicPlan, planned: PlannedSetting, actual: str) -> TopicDifference:
    mend = f"`bopis topics set {plan.name} {planned.setting}={planned.value}` corrects it."
    if planned.setting == TIMESTAMP_TYPE:
        mend = f"If `bopis topics migrate` into this prefix has not finished, run it again. Otherwise {mend}"
    needed = planned.value if planned.rule is Comparison.EQUAL else f"at least {planned.value}"
    if planned.value == str(FOR_EVER):
        needed = f"{FOR_EVER} (kept for ever)"
    return TopicDifference(
        topic=plan.name, setting=planned.setting, found=actual, needed=needed, required=planned.required, mend=mend
    )


def _replication(plan: TopicPlan, state: TopicState) -> TopicDifference:
    return TopicDifference(
        topic=plan.name,
        setting=REPLICATION,
        found=str(state.replication_factor),
        needed=str(plan.replication_factor),
        required=False,
        mend="Apache Kafka's kafka-reassign-partitions.sh adds copies.",
    )
