"""Errors of kafka-python, translated to errors of ours that say what to do next."""

from collections.abc import Mapping
from typing import Any

from kafka import errors as kafka_errors

from bopis.adapters.errors import (
    AccessDenied,
    AdapterError,
    LogUnavailable,
    NotAcknowledged,
    NotAnswered,
    RecordTooLarge,
    RequestRefused,
    TopicMissing,
)
from bopis.adapters.handshake import find_rejection

# Rights to read metadata; most users have them through another right.
SEE = "DESCRIBE (READ and WRITE include it)"
SEE_GROUP = "DESCRIBE (READ includes it)"
SEE_SETTINGS = "DESCRIBE_CONFIGS (ALTER_CONFIGS includes it)"
_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
_RESOURCES = {
    kafka_errors.TopicAuthorizationFailedError: "topic",
    kafka_errors.GroupAuthorizationFailedError: "group",
    kafka_errors.TransactionalIdAuthorizationFailedError: "transactional id",
}


def translate(error: Exception, topic: str, right: str = "") -> AdapterError:
    """Our error for an error of the client library.

    `right` is the right that the request needed, for example "WRITE on topic bopis.stock"; if it names no resource,
    the names are taken from the error.
    """
    if isinstance(error, _TOO_LARGE):
        return RecordTooLarge(topic=topic)
    if isinstance(error, kafka_errors.UnknownTopicOrPartitionError):
        return TopicMissing(topic=topic)
    # kafka-python wraps some refusals into its base error and leaves the original name only in the text.
    if isinstance(error, kafka_errors.AuthorizationError) or "AuthorizationFailed" in str(error):
        return AccessDenied(right=_right(error, right))
    if isinstance(error, kafka_errors.KafkaTimeoutError | kafka_errors.RetriableError):
        is_read = bool(right) and not right.startswith("WRITE")
        return NotAnswered(cause=named(error)) if is_read else NotAcknowledged(topic=topic)
    return RequestRefused(cause=named(error))


def connection_failure(bootstrap: str, error: Exception, options: Mapping[str, Any]) -> AdapterError:
    """Why a client could not connect: the rejection that retrying cannot cure, else that the log does not answer."""
    return find_rejection(bootstrap, options) or LogUnavailable(address=bootstrap, cause=named(error))


def named(error: BaseException) -> str:
    """Name and text of an error in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}".rstrip(": ")


def _right(error: kafka_errors.KafkaError, right: str) -> str:
    if " on " in right:
        return right
    detail = error.args[0] if error.args else ""
    texts = sorted(map(str, detail)) if isinstance(detail, set | list | tuple) else [str(detail)]
    resource = next((name for cls, name in _RESOURCES.items() if isinstance(error, cls)), "the cluster")
    # A text with spaces is the whole answer of the log, not the name of a resource.
    names = [it for it in texts if it and " " not in it]
    return f"{right or 'to do this'} on {resource} {', '.join(names)}".rstrip()
