"""A topic that the log lists before it can describe it is asked for again."""

from typing import Any

import pytest
from kafka import errors as kafka_errors

from bopis.adapters import topics
from bopis.adapters.errors import AccessDenied
from bopis.adapters.topics import TopicKeeper

WHOLE = {"name": "a", "error_code": 0, "partitions": [{"replica_nodes": [1]}, {"replica_nodes": [1]}]}
UNKNOWN = {"name": "a", "error_code": kafka_errors.UnknownTopicOrPartitionError.errno, "partitions": []}
SETTINGS = {"topic": {"a": {"retention.ms": {"value": "-1"}}}}


class Answers:
    """An admin client that answers from lists; the last answer repeats."""

    def __init__(self, described: list[Any], settings: list[Any]) -> None:
        self._described, self._settings = described, settings

    def describe_topics(self) -> list[Any]:
        return [self._described.pop(0) if len(self._described) > 1 else self._described[0]]

    def describe_configs(self, *_: Any) -> Any:
        return self._settings.pop(0) if len(self._settings) > 1 else self._settings[0]


def keeper(described: list[Any], settings: list[Any]) -> TopicKeeper:
    found = object.__new__(TopicKeeper)
    found._client = Answers(described, settings)  # type: ignore[assignment]  # a double of two methods
    return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "DESCRIBED_POLL_SECONDS", 0.0)
    monkeypatch.setattr(topics, "DESCRIBED_SECONDS_MAX", 0.05)


@pytest.mark.parametrize(
    ("described", "settings"),
    [
        ([UNKNOWN, WHOLE], [SETTINGS]),
        ([WHOLE], [{"topic": {}}, SETTINGS]),
        ([UNKNOWN, WHOLE], [{"topic": {}}, SETTINGS]),
    ],
    ids=["no partitions yet", "no settings yet", "neither yet"],
)
def test_a_topic_that_was_just_created_is_asked_for_again(described: list[Any], settings: list[Any]) -> None:
    state = keeper(list(described), list(settings)).states(["a"])["a"]

    assert (state.partitions, state.replication_factor, state.settings) == (2, 1, {"retention.ms": "-1"})


def test_settings_that_stay_hidden_are_a_missing_right() -> None:
    with pytest.raises(AccessDenied, match="on topic a"):
        keeper([WHOLE], [{"topic": {}}]).states(["a"])
