"""The broker's own error codes are the protocol's."""

from __future__ import annotations

import pytest
from kafka.errors import for_code

from bopis.broker.error_codes import ErrorCode

# kafka-python has other names for these four.
OTHERWISE_NAMED = {
    ErrorCode.NONE: "NO_ERROR",
    ErrorCode.MESSAGE_TOO_LARGE: "MESSAGE_SIZE_TOO_LARGE",
    ErrorCode.INVALID_TOPIC_EXCEPTION: "INVALID_TOPIC",
    ErrorCode.INVALID_REPLICA_ASSIGNMENT: "INVALID_REPLICATION_ASSIGNMENT",
}


@pytest.mark.parametrize("code", ErrorCode)
def test_a_client_knows_each_code_by_the_same_name(code: ErrorCode) -> None:
    known = for_code(code)

    assert (known.errno, known.message) == (code, OTHERWISE_NAMED.get(code, code.name))
