"""The protocol itself: every advertised version is served, everything else gets the protocol's own error."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from kafka.protocol import admin, consumer, metadata, producer
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse

from bopis.broker.apis import APIS, HOT
from tests.contract.members import SUBSCRIPTION
from tests.engines import Engine
from tests.engines.wire import Wire, batch

UNSUPPORTED_VERSION = 35
PRODUCE, FETCH, JOIN, API_VERSIONS = 0, 1, 11, 18
# What the product asks of a log: all that the embedded one serves.
PRODUCTS = {*APIS, *HOT, API_VERSIONS}
MODULES = (admin, consumer, metadata, producer)


def messages() -> Iterator[tuple[Any, Any]]:
    """Every request that kafka-python can write, with its response."""
    for module in MODULES:
        for name in dir(module):
            if name.endswith("Request") and hasattr(module, name.replace("Request", "Response")):
                yield getattr(module, name), getattr(module, name.replace("Request", "Response"))


def advertised(wire: Wire) -> dict[int, tuple[int, int]]:
    answer = wire.call(ApiVersionsRequest(version=2), ApiVersionsResponse)
    assert answer.error_code == 0
    return {row.api_key: (row.min_version, row.max_version) for row in answer.api_keys}


def minimal(request: Any, version: int, topic: str) -> Any:
    """The emptiest request of this kind that means something."""
    # A group for each request: members that say nothing more would keep each other waiting.
    name = f"protocol-{request.API_KEY}-{version}"
    fields: dict[str, Any] = {"group_id": name} if "group_id" in request.fields else {}
    if request.API_KEY == PRODUCE:
        data = request.TopicProduceData
        part = data.PartitionProduceData(index=0, records=batch((b"k", b"v")))
        fields = {"acks": -1, "timeout_ms": 1000, "topic_data": [data(name=topic, partition_data=[part])]}
    elif request.API_KEY == FETCH:
        fields = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1000, "session_epoch": -1}
    elif request.API_KEY == JOIN:
        part = request.JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)
        fields |= {"protocols": [part], "session_timeout_ms": 6000, "rebalance_timeout_ms": 6000}
        fields["protocol_type"] = "consumer"
    elif request.API_KEY == API_VERSIONS and version >= 3:
        fields = {"client_software_name": "tests", "client_software_version": "1"}
    return request(version=version, **fields)


def test_every_advertised_version_is_served(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    with Wire(engine.address) as wire:
        served = advertised(wire)
    known = {request.API_KEY: (request, response) for request, response in messages()}

    for key in PRODUCTS & set(served):
        lowest, highest = served[key]
        request, response = known[key]
        if key == PRODUCE:
            # The first three are named for the sake of one old library, which looks for them, and are never used.
            lowest = max(lowest, 3)
        for version in range(lowest, min(highest, request.max_version) + 1):
            with Wire(engine.address) as wire:
                answer = wire.call(minimal(request, version, topic), response)
                assert getattr(answer, "error_code", 0) != UNSUPPORTED_VERSION, (request.__name__, version)


def test_an_unknown_version_of_api_versions_is_answered_in_the_oldest_form(wire: Wire) -> None:
    wire.send_raw(struct.pack(">ihhih", 4 + 4 + 2 + 1, 18, 99, 7, 0) + b"\x00")

    answer = wire.receive_raw()

    correlation_id, code, count = struct.unpack_from(">ihi", answer)
    assert (correlation_id, code) == (7, UNSUPPORTED_VERSION)
    assert len(answer) == 10 + count * 6


def test_what_is_not_served_is_answered_or_the_connection_is_closed(engine: Engine) -> None:
    with Wire(engine.address) as wire:
        served = advertised(wire)

    for request, _ in messages():
        lowest, highest = served.get(request.API_KEY, (1, 0))
        for version in range(request.max_version + 1):
            if lowest <= version <= highest or request.API_KEY == 18:
                continue
            with Wire(engine.address, timeout=5.0) as wire:
                wire.send_raw(struct.pack(">ihhih", 11, request.API_KEY, version, 7, 0) + b"\x00")
                try:
                    answer = wire.receive_raw()
                except ConnectionError:
                    continue
                assert struct.unpack_from(">i", answer) == (7,)


def test_answers_come_in_the_order_of_the_requests(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    wire.send(wire.fetch_request([(topic, 0, 0)], max_wait_ms=300))
    wire.send(ApiVersionsRequest(version=2))

    first, second = wire.receive_raw(), wire.receive_raw()

    assert (struct.unpack_from(">i", first), struct.unpack_from(">i", second)) == ((1,), (2,))
