"""The errors of the client library in words that say what to do next."""

from collections.abc import Mapping
from typing import Any

from kafka import errors as kafka_errors

from bopis.adapters.errors import (
    AdapterError,
    LogRefused,
    LogUnavailable,
    NotAcknowledged,
    NotAnswered,
    RecordTooLarge,
    RightMissing,
    TopicMissing,
)
from bopis.adapters.handshake import shut_out

# What it takes to see that something is there; most have it by another right.
SEE = "DESCRIBE (READ and WRITE include it)"
SEE_GROUP = "DESCRIBE (READ includes it)"
SEE_SETTINGS = "DESCRIBE_CONFIGS (ALTER_CONFIGS includes it)"
_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
_ON = {
    kafka_errors.TopicAuthorizationFailedError: "topic",
    kafka_errors.GroupAuthorizationFailedError: "group",
    kafka_errors.TransactionalIdAuthorizationFailedError: "transactional id",
}


def translate(error: Exception, topic: str, right: str = "") -> AdapterError:
    """The error in our words. `right` is what the request needed, for example "WRITE on topic bopis.stock"; without
    a name in it, the name is taken from the error."""
    if isinstance(error, _TOO_LARGE):
        return RecordTooLarge(topic=topic)
    if isinstance(error, kafka_errors.UnknownTopicOrPartitionError):
        return TopicMissing(topic=topic)
    # The library wraps some refusals into its most general error, and leaves the name in the text.
    if isinstance(error, kafka_errors.AuthorizationError) or "AuthorizationFailed" in str(error):
        return RightMissing(right=_right(error, right))
    if isinstance(error, kafka_errors.KafkaTimeoutError | kafka_errors.RetriableError):
        is_question = bool(right) and not right.startswith("WRITE")
        return NotAnswered(cause=named(error)) if is_question else NotAcknowledged(topic=topic)
    return LogRefused(cause=named(error))


def no_way_in(bootstrap: str, error: Exception, options: Mapping[str, Any]) -> AdapterError:
    """Why a client did not come in: what is for good by name, otherwise that the log does not answer."""
    return shut_out(bootstrap, options) or LogUnavailable(address=bootstrap, cause=named(error))


def named(error: BaseException) -> str:
    """An error of the client library in one line."""
    words = " ".join(str(error).split())
    name = type(error).__name__
    return words if words.startswith(name) else f"{name}: {words}".rstrip(": ")


def _right(error: kafka_errors.KafkaError, right: str) -> str:
    if " on " in right:
        return right
    said = error.args[0] if error.args else ""
    names = sorted(map(str, said)) if isinstance(said, set | list | tuple) else [str(said)]
    kind = next((word for cls, word in _ON.items() if isinstance(error, cls)), "the cluster")
    # A long text is the whole answer of the log, not a name.
    known = [it for it in names if it and " " not in it]
    return f"{right or 'to do this'} on {kind} {', '.join(known)}".rstrip()
