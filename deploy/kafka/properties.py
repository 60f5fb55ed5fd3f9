"""Settings of each node: ports, replication that fits the number of nodes, low memory use."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.kafka.errors import LayoutUnfit
from deploy.kafka.security import Security

SIZES = (1, 3)
HEAP_MIB = {1: 512, 3: 256}
PLAIN = {"listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"}
MODEST = {
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "log.cleaner.dedupe.buffer.size": "1048577",
    "log.segment.bytes": "67108864",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Records are kept unless their topic has a retention, as with the embedded log.
    "log.retention.ms": "-1",
    # Other nodes lead the partitions of a killed node after this time; the default is 9 s.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
    "auto.create.topics.enable": "false",
}


@dataclass(frozen=True)
class Layout:
    """The shape of a cluster.

    `nodes`: 1, or 3 with replication factor 3 and at least 2 replicas in sync. `ports`: the client port of each
    node; 0 or a missing one means a free port. `advertised`: addresses of a proxy for clients, ``host:port`` per node
    id. `settings`: further lines of server.properties. `security`: users and TLS; None admits everybody on this
    machine.
    """

    nodes: int = 1
    ports: tuple[int, ...] = ()
    advertised: Mapping[int, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    security: Security | None = None

    def __post_init__(self) -> None:
        if self.nodes not in SIZES:
            raise LayoutUnfit(f"A cluster has 1 or 3 nodes, not {self.nodes}: give --nodes 1 or --nodes 3.")
        if len(self.ports) > self.nodes:
            raise LayoutUnfit(f"{len(self.ports)} ports were given for {self.nodes} nodes: give at most one per node.")

    def common(self, home: Path) -> dict[str, str]:
        """Settings that all nodes share."""
        copies, in_sync = (3, 2) if self.nodes == 3 else (1, 1)
        settings = {"default.replication.factor": copies, "min.insync.replicas": in_sync}
        settings |= {f"{name}.replication.factor": copies for name in ("offsets.topic", "transaction.state.log")}
        settings |= {"transaction.state.log.min.isr": in_sync}
        settings |= {"share.coordinator.state.topic.replication.factor": copies}
        settings |= {"share.coordinator.state.topic.min.isr": in_sync}
        access = PLAIN if self.security is None else self.security.properties(home / "security")
        return {key: str(value) for key, value in settings.items()} | MODEST | access | dict(self.settings)


@dataclass(frozen=True)
class Ports:
    """The three ports of one node: for clients, for replication, for the quorum."""

    client: int
    internal: int
    controller: int


def server_properties(layout: Layout, node: int, ports: Mapping[int, Ports], home: Path) -> str:
    """The server.properties file of one node."""
    mine = ports[node]
    listeners = {"CLIENT": mine.client, "INTERNAL": mine.internal, "CONTROLLER": mine.controller}
    advertised = layout.advertised.get(node, f"127.0.0.1:{mine.client}")
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(f"{it}@127.0.0.1:{its.controller}" for it, its in ports.items()),
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners": f"CLIENT://{advertised},INTERNAL://127.0.0.1:{mine.internal}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "log.dirs": str(home / f"node-{node}"),
    }
    return "".join(f"{key}={value}\n" for key, value in (settings | layout.common(home)).items())


def choose_ports(layout: Layout) -> dict[int, Ports]:
    """The ports of the layout, and free ones for the rest. Raises LayoutUnfit for a port in use."""
    wanted = [*layout.ports, *(0 for _ in range(layout.nodes - len(layout.ports)))]
    held: list[socket.socket] = []

    def port(asked: int = 0) -> int:
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.append(probe)
        try:
            probe.bind(("127.0.0.1", asked))
        except OSError as error:
            raise LayoutUnfit(f"Port {asked} is in use. Give another one, or 0 for a free one.") from error
        return int(probe.getsockname()[1])

    try:
        # All sockets stay open until all ports are known, so that no port is chosen twice.
        return {number: Ports(port(asked), port(), port()) for number, asked in enumerate(wanted, 1)}
    finally:
        for probe in held:
            probe.close()
