"""Silent producers are forgotten, named ones never."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.reading import until
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

FENCED, OUT_OF_ORDER = 47, 45


def test_an_unnamed_producer_is_forgotten_and_a_named_one_stays_fenced(own_log: Callable[..., EmbeddedEngine]) -> None:
    engine = own_log(None, "producer_expiry_seconds=0.3")
    with Wire(engine.address) as wire:
        wire.create_topic("t", 1, {})
        unnamed, old = wire.producer_id(), wire.producer_id("writer")
        assert wire.produce("t", batch((b"k", b"v"), producer=(*unnamed, 0))).error_code == 0
        new = wire.producer_id("writer")
        assert wire.produce("t", batch((b"k", b"v"), producer=(*new, 0))).error_code == 0
        assert wire.produce("t", batch((b"k", b"v"), producer=(*unnamed, 7))).error_code == OUT_OF_ORDER

        # A producer that nobody remembers may begin anywhere, as on Apache Kafka.
        assert until(lambda: wire.produce("t", batch((b"k", b"v"), producer=(*unnamed, 7))).error_code == 0, seconds=10)
        assert wire.produce("t", batch((b"k", b"v"), producer=(*old, 1))).error_code == FENCED
