"""A client that says exactly what a test wants it to say, one request at a time."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from kafka.protocol.admin import (
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from kafka.protocol.consumer import FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse
from kafka.protocol.metadata import MetadataRequest, MetadataResponse
from kafka.protocol.producer import (
    InitProducerIdRequest,
    InitProducerIdResponse,
    ProduceRequest,
    ProduceResponse,
)

ANSWER_SECONDS = 60.0
EARLIEST, LATEST = -2, -1


def batch(
    *records: tuple[bytes | None, bytes | None],
    producer: tuple[int, int, int] = (-1, -1, -1),
    timestamp_ms: int | None = None,
    compression: int = 0,
) -> bytes:
    """A record batch of (key, value) pairs; `producer` is (id, epoch, first sequence)."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=0,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=producer[2],
        batch_size=1 << 30,
    )
    now_ms = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
    for index, (key, value) in enumerate(records):
        assert builder.append(index, now_ms + index, key, value, []) is not None
    return bytes(builder.build())


class Wire:
    """A blocking connection that speaks the protocol through kafka-python's own message classes."""

    def __init__(self, address: tuple[str, int], timeout: float = ANSWER_SECONDS) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation_id = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, request: Any) -> None:
        self._correlation_id += 1
        request.with_header(correlation_id=self._correlation_id, client_id="wire")
        self._socket.sendall(request.encode(header=True, framed=True))

    def send_raw(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def receive_raw(self) -> bytes:
        (length,) = struct.unpack(">i", self._read(4))
        return self._read(length)

    def receive(self, response: Any, version: int) -> Any:
        return response.decode(self.receive_raw(), version=version, header=True)

    def call(self, request: Any, response: Any) -> Any:
        self.send(request)
        return self.receive(response, request.API_VERSION)

    def _read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            part = self._socket.recv(count)
            if not part:
                raise ConnectionError("the log closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def create_topic(self, name: str, partitions: int, configs: dict[str, str]) -> int:
        topic = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            assignments=[],
            configs=[
                CreateTopicsRequest.CreatableTopic.CreatableTopicConfig(name=key, value=value)
                for key, value in configs.items()
            ],
        )
        request = CreateTopicsRequest(version=4, topics=[topic], timeout_ms=10_000, validate_only=False)
        return int(self.call(request, CreateTopicsResponse).topics[0].error_code)

    def delete_topics(self, names: list[str]) -> None:
        """Give up topics; one that is gone already is no matter."""
        self.call(DeleteTopicsRequest(version=3, topic_names=names, timeout_ms=10_000), DeleteTopicsResponse)

    def delete_topics_of(self, prefix: str) -> None:
        """Give up every topic whose name begins so: a log that is killed often comes back faster with few."""
        answer = self.call(MetadataRequest(version=8, topics=None), MetadataResponse)
        self.delete_topics([topic.name for topic in answer.topics if topic.name.startswith(prefix)])

    def is_ready(self, name: str, partitions: int) -> bool:
        """Whether every partition of the topic serves: Apache Kafka spreads the word after it has answered."""
        answer = self._list_offsets(name, dict.fromkeys(range(partitions), LATEST))
        return all(part.error_code == 0 for part in answer)

    def produce(self, topic: str, records: bytes, partition: int = 0, acks: int = -1) -> Any:
        """Send one batch; returns the answer for its partition."""
        data = ProduceRequest.TopicProduceData
        request = ProduceRequest(
            version=8,
            transactional_id=None,
            acks=acks,
            timeout_ms=10_000,
            topic_data=[
                data(name=topic, partition_data=[data.PartitionProduceData(index=partition, records=records)]),
            ],
        )
        if acks == 0:
            self.send(request)
            return None
        return self.call(request, ProduceResponse).responses[0].partition_responses[0]

    def fetch_request(self, wanted: list[tuple[str, int, int]], **options: int) -> Any:
        """Ask for (topic, partition, offset); options as in the protocol."""
        topics = [
            FetchRequest.FetchTopic(
                topic=topic,
                partitions=[
                    FetchRequest.FetchTopic.FetchPartition(
                        partition=number,
                        current_leader_epoch=-1,
                        fetch_offset=offset,
                        log_start_offset=-1,
                        partition_max_bytes=options.get("partition_max_bytes", 1 << 20),
                    )
                ],
            )
            for topic, number, offset in wanted
        ]
        return FetchRequest(
            version=11,
            replica_id=-1,
            max_wait_ms=options.get("max_wait_ms", 0),
            min_bytes=options.get("min_bytes", 1),
            max_bytes=options.get("max_bytes", 50 << 20),
            isolation_level=0,
            session_id=options.get("session_id", 0),
            session_epoch=options.get("session_epoch", -1),
            topics=topics,
            forgotten_topics_data=[],
            rack_id="",
        )

    def fetch(self, topic: str, offset: int, partition: int = 0, **options: int) -> Any:
        """Read one partition; returns its part of the answer."""
        request = self.fetch_request([(topic, partition, offset)], **options)
        return self.call(request, FetchResponse).responses[0].partitions[0]

    def offset(self, topic: str, timestamp: int, partition: int = 0) -> int:
        """The offset for a time, or EARLIEST or LATEST."""
        (answer,) = self._list_offsets(topic, {partition: timestamp})
        assert answer.error_code == 0
        return int(answer.offset)

    def _list_offsets(self, topic: str, timestamps: dict[int, int]) -> list[Any]:
        wanted = ListOffsetsRequest.ListOffsetsTopic
        partitions = [
            wanted.ListOffsetsPartition(partition_index=number, current_leader_epoch=-1, timestamp=timestamp)
            for number, timestamp in timestamps.items()
        ]
        asked = [wanted(name=topic, partitions=partitions)]
        request = ListOffsetsRequest(version=5, replica_id=-1, isolation_level=0, topics=asked)
        return list(self.call(request, ListOffsetsResponse).topics[0].partitions)

    def producer_id(self, name: str | None = None) -> tuple[int, int]:
        """An identity for a producer: (id, epoch)."""
        request = InitProducerIdRequest(version=1, transactional_id=name, transaction_timeout_ms=60_000)
        answer = self.call(request, InitProducerIdResponse)
        assert answer.error_code == 0, answer
        return int(answer.producer_id), int(answer.producer_epoch)
