"""The logs that the suites run on: the embedded one and Apache Kafka, under one interface.

A test asks for the fixture `engine` (tests/conftest.py) and is run once for each engine that is chosen by the
environment variable BOPIS_TEST_ENGINES; the default is every engine. Apache Kafka needs Java and Maven: without them
its tests are skipped with the packages to install, and fail where CI=true.
"""

import warnings

with warnings.catch_warnings():
    # kafka-python reads its schemas through a function that Python 3.11 calls old; it does so once, at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer  # noqa: F401

from tests.engines.choice import ENGINES, Engines, chosen
from tests.engines.embedded import EmbeddedEngine
from tests.engines.engine import Engine
from tests.engines.kafka import KafkaEngine

__all__ = ["ENGINES", "EmbeddedEngine", "Engine", "Engines", "KafkaEngine", "chosen"]
