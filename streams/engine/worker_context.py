"""Everything that the partitions of one worker share."""

from collections.abc import Callable

import msgspec

from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.processor import Processor
from streams.engine.ticks import Feed, Pulse
from streams.limits import StreamLimits


class WorkerContext(msgspec.Struct, frozen=True):
    """The processor and the log of one worker, the topics that its partitions are fed from, and the timer of their
    ticks. `failed` is called with an error that ends the worker."""

    processor: Processor
    connection: LogConnection
    limits: StreamLimits
    client: LogClient
    failed: Callable[[BaseException], None]
    feed: Feed | None = None
    pulse: Pulse = msgspec.field(default_factory=Pulse)
