"""The settings of topics: their names, defaults and valid values, and the policy that follows from them.

Settings of Apache Kafka that have no meaning on one machine with one file are accepted and stored, so that the same
`create topic` works on both; a name that Apache Kafka does not know is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused

TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
FOREVER = -1
CLEANUP_POLICIES = frozenset({"delete", "compact"})


def _whole_number(least: int) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(r"-?\d{1,19}", text)) and least <= int(text) < 1 << 63


def _policy(text: str) -> bool:
    return set(text.replace(" ", "").split(",")) <= CLEANUP_POLICIES


def _ratio(text: str) -> bool:
    return bool(re.fullmatch(r"\d(\.\d+)?", text)) and float(text) <= 1


def _any(text: str) -> bool:
    return len(text) <= 1_000


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda text: text in words


# name -> (default, check). The first group takes effect, the second is only stored.
SETTINGS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "cleanup.policy": ("delete", _policy),
    "delete.retention.ms": ("86400000", _whole_number(0)),
    "max.message.bytes": ("1048588", _whole_number(0)),
    "message.timestamp.type": ("CreateTime", _one_of("CreateTime", "LogAppendTime")),
    "min.cleanable.dirty.ratio": ("0.5", _ratio),
    "min.compaction.lag.ms": ("0", _whole_number(0)),
    "retention.bytes": ("-1", _whole_number(-1)),
    "retention.ms": ("-1", _whole_number(-1)),
    "compression.type": ("producer", _one_of("producer")),
    "file.delete.delay.ms": ("60000", _whole_number(0)),
    "flush.messages": ("1", _whole_number(1)),
    "flush.ms": ("0", _whole_number(0)),
    "index.interval.bytes": ("4096", _whole_number(0)),
    "max.compaction.lag.ms": ("9223372036854775807", _whole_number(1)),
    "message.downconversion.enable": ("false", _one_of("true", "false")),
    "message.timestamp.after.max.ms": ("9223372036854775807", _whole_number(0)),
    "message.timestamp.before.max.ms": ("9223372036854775807", _whole_number(0)),
    "message.timestamp.difference.max.ms": ("9223372036854775807", _whole_number(0)),
    "message.format.version": ("3.0-IV1", _any),
    "min.insync.replicas": ("1", _whole_number(1)),
    "preallocate": ("false", _one_of("true", "false")),
    "segment.bytes": ("1073741824", _whole_number(14)),
    "segment.index.bytes": ("10485760", _whole_number(4)),
    "segment.jitter.ms": ("0", _whole_number(0)),
    "segment.ms": ("604800000", _whole_number(1)),
    "unclean.leader.election.enable": ("false", _one_of("true", "false")),
}


@dataclass(frozen=True, slots=True)
class TopicPolicy:
    """The settings that take effect, parsed."""

    compact: bool
    delete: bool
    append_time: bool
    batch_bytes_max: int
    retention_ms: int
    retention_bytes: int
    tombstone_ms: int
    compaction_lag_ms: int
    dirty_ratio_min: float


def policy_of(settings: Mapping[str, str]) -> TopicPolicy:
    """The policy of a topic with these settings, with defaults for the others."""

    def value(name: str) -> str:
        return settings.get(name, SETTINGS[name][0])

    policies = set(value("cleanup.policy").replace(" ", "").split(","))
    return TopicPolicy(
        compact="compact" in policies,
        delete="delete" in policies,
        append_time=value("message.timestamp.type") == "LogAppendTime",
        batch_bytes_max=int(value("max.message.bytes")),
        retention_ms=int(value("retention.ms")),
        retention_bytes=int(value("retention.bytes")),
        tombstone_ms=int(value("delete.retention.ms")),
        compaction_lag_ms=int(value("min.compaction.lag.ms")),
        dirty_ratio_min=float(value("min.cleanable.dirty.ratio")),
    )


def check_settings(settings: Mapping[str, str | None]) -> dict[str, str]:
    """The settings that have a value. Raises `Refused` for an unknown name or an invalid value."""
    checked: dict[str, str] = {}
    for name, text in settings.items():
        if name not in SETTINGS:
            raise Refused(ErrorCode.INVALID_CONFIG, f"Unknown topic config name: {name}")
        if text is None:
            continue
        if not SETTINGS[name][1](text):
            raise Refused(ErrorCode.INVALID_CONFIG, f"Invalid value {text!r} for configuration {name}")
        checked[name] = text
    return checked


def check_name(name: str | None) -> str:
    """The name of a topic. Raises `Refused` for one that Apache Kafka would refuse, too."""
    if not name or name in {".", ".."} or not TOPIC_NAME.fullmatch(name):
        raise Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, "A topic is named with 1 to 249 of: a-z A-Z 0-9 . _ -")
    return name
