"""Apache Kafka on this machine: one or three nodes on the loopback, started, killed and paused one by one.

::

    python -m deploy.kafka.cluster --nodes 3 [--port 9092] [--data DIR] [--secure | --certificates USER…] [--json]

runs until it is interrupted. In a test::

    with Cluster(directory, Layout(nodes=3)) as cluster:
        cluster.kill_node(2)
"""

import argparse
import base64
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.kafka import jars
from deploy.kafka.errors import ClusterError, LayoutUnfit, NodeFailed, ToolMissing
from deploy.kafka.node import Node
from deploy.kafka.properties import HEAP_MIB, SIZES, Layout, choose_ports, server_properties
from deploy.kafka.security import ADMIN, MECHANISM, Security, authority, make_certificates

READY_SECONDS_MAX = 90.0
ASK_MILLISECONDS_MAX = 5_000
WATCH_SECONDS = 1.0
FIRST_PORT = 9092
EXIT_FAILED, EXIT_INVALID, EXIT_UNAVAILABLE = 1, 5, 69


class Cluster:
    """A cluster with its data in `home`; a later one on the same directory continues with these data.

    Raises ClusterError, with what to install or change, from the constructor and from `start`.
    """

    def __init__(self, home: Path, layout: Layout | None = None, archive: Path | None = None) -> None:
        """With `archive` a node writes its classes there when it stops (`deploy.kafka.archive`)."""
        self.home = home.resolve()
        self.layout = layout or Layout()
        self.home.mkdir(parents=True, exist_ok=True)
        self.ports = choose_ports(self.layout)
        heap = HEAP_MIB[self.layout.nodes]
        self.nodes = {number: Node(number, self.home, heap, archive) for number in self.ports}

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients: every node as ``host:port``, separated by commas."""
        direct = {number: f"127.0.0.1:{its.client}" for number, its in self.ports.items()}
        return ",".join((direct | dict(self.layout.advertised)).values())

    @property
    def ca_file(self) -> Path | None:
        """The certificate that clients of a secured cluster trust."""
        return authority(self._keys) if self.layout.security is not None else None

    def client(self, user: str = ADMIN) -> dict[str, str]:
        """Settings for a kafka-python client, except the bootstrap servers; empty without security."""
        return {} if self.layout.security is None else self.layout.security.client(self._keys, user)

    def start(self) -> None:
        """Fetch the server if absent, format new data directories, start all nodes, wait until they are ready."""
        jars.fetch()
        self._prepare()
        for node in self.nodes.values():
            node.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop all nodes cleanly; the data stay."""
        # All at once: a clean stop needs a quorum, which the last node alone would not have.
        for node in self.nodes.values():
            node.ask_to_stop()
        for node in self.nodes.values():
            node.stop()

    def kill(self) -> None:
        """End all nodes without warning."""
        for node in self.nodes.values():
            node.kill()

    def kill_node(self, number: int) -> None:
        """End one node without warning."""
        self.nodes[number].kill()

    def start_node(self, number: int, wait: bool = True) -> None:
        """Start a node that is down, and wait until the whole cluster that should run is ready."""
        self.nodes[number].start()
        if wait:
            self.wait_until_ready()

    def suspend_node(self, number: int) -> None:
        """Pause a node, like a paused machine: its connections stay open and get no reply."""
        self.nodes[number].signal(signal.SIGSTOP)

    def resume_node(self, number: int) -> None:
        """Resume a suspended node."""
        self.nodes[number].signal(signal.SIGCONT)

    def wait_until_ready(self) -> None:
        """Wait until every started node serves and lists all other started nodes. Raises NodeFailed."""
        end = time.monotonic() + READY_SECONDS_MAX
        expected = {number for number, node in self.nodes.items() if node.pid is not None}
        waiting = set(expected)
        while waiting:
            waiting = {number for number in waiting if not self._known_to(number) >= expected}
            for number in expected:
                if not self.nodes[number].running:
                    raise NodeFailed(f"Node {number} ended", self.nodes[number].log)
            if waiting and time.monotonic() > end:
                slow = self.nodes[min(waiting)]
                raise NodeFailed(f"Node {slow.number} was not ready after {READY_SECONDS_MAX:.0f} s", slow.log)
            time.sleep(0.1 if waiting else 0)

    def _known_to(self, number: int) -> set[int]:
        """The nodes that this one lists as members of the cluster; none before it serves."""
        port = self.ports[number].client
        if not _listens(port):
            return set()
        asking = {"bootstrap_timeout_ms": ASK_MILLISECONDS_MAX, "request_timeout_ms": ASK_MILLISECONDS_MAX}
        try:
            admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", **asking, **self.client())
        except KafkaError:
            return set()
        try:
            return {it["broker_id"] for it in admin.describe_cluster()["brokers"]}
        except KafkaError:
            return set()
        finally:
            admin.close()

    def _prepare(self) -> None:
        security = self.layout.security
        if security is not None:
            make_certificates(self._keys, security.users if security.certificates else ())
        cluster_id = self._cluster_id()
        for number, node in self.nodes.items():
            node.properties.write_text(server_properties(self.layout, number, self.ports, self.home))
            if not (self.home / f"node-{number}" / "meta.properties").exists():
                node.format(cluster_id, security.scram_arguments() if security is not None else [])

    def _cluster_id(self) -> str:
        note = self.home / "cluster.json"
        if note.exists():
            known = json.loads(note.read_text())
            if {"certificates": False} | known != {**self._shape(), "id": known["id"]}:
                access = f"{'with' if known['secured'] else 'without'} security"
                access += " by certificates" if known.get("certificates") else ""
                raise LayoutUnfit(
                    f"The data directory {self.home} belongs to a cluster of {known['nodes']} node(s),"
                    f" {access}. Use the same options, or name another directory."
                )
            return str(known["id"])
        made = base64.urlsafe_b64encode(b"\x00" + os.urandom(15)).decode().rstrip("=")
        note.write_text(json.dumps({"id": made, **self._shape()}))
        return made

    def _shape(self) -> dict[str, object]:
        """Shape for which the data directory was formatted; it works with no other shape."""
        security = self.layout.security
        certificates = security is not None and security.certificates
        return {"nodes": self.layout.nodes, "secured": security is not None, "certificates": certificates}

    @property
    def _keys(self) -> Path:
        return self.home / "security"

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Start, print the address, and stop cleanly on an interrupt or SIGTERM. Returns the exit code."""
    asked = _parser().parse_args(arguments)
    first = asked.port
    ports = tuple(first + it for it in range(asked.nodes)) if first else ()
    kind = "-certified" if asked.certificates is not None else "-secure" if asked.secure else ""
    home = asked.data or Path("bopis-data") / f"kafka-{asked.nodes}{kind}"
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        layout = Layout(nodes=asked.nodes, ports=ports, security=_security(home, asked))
        cluster = Cluster(home, layout)
        cluster.start()
        try:
            _print_ready(cluster, asked.json)
            while not ending.wait(WATCH_SECONDS):
                _watch(cluster)
        finally:
            cluster.stop()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, ToolMissing):
            return EXIT_UNAVAILABLE
        return EXIT_INVALID if isinstance(error, LayoutUnfit) else EXIT_FAILED
    return 0


def _security(home: Path, asked: argparse.Namespace) -> Security | None:
    """The users of this directory's cluster; the administrator's password is created once and stored in a file that
    only its owner can read."""
    if asked.certificates is not None:
        # Clients log in by certificate, so users have no passwords.
        return Security(dict.fromkeys((ADMIN, *asked.certificates), ""), certificates=True)
    if not asked.secure:
        return None
    note = home / "admin-password"
    if note.exists():
        return Security({ADMIN: note.read_text().strip()})
    made = Security()
    home.mkdir(parents=True, exist_ok=True)
    note.touch(mode=0o600)
    note.write_text(made.users[ADMIN] + "\n")
    return made


def _print_ready(cluster: Cluster, as_json: bool) -> None:
    secured = cluster.layout.security
    if as_json:
        document = {
            "bootstrap": cluster.bootstrap,
            "nodes": [
                {"id": it, "port": cluster.ports[it].client, "pid": node.pid} for it, node in cluster.nodes.items()
            ],
            "directory": str(cluster.home),
            "security": None if secured is None else _admin_access(cluster, secured),
        }
        print(json.dumps(document), flush=True)
        return
    print(f"Apache Kafka is ready: {len(cluster.nodes)} node(s), data in {cluster.home}", file=sys.stderr)
    if secured is not None:
        for name, value in _admin_access(cluster, secured).items():
            print(f"  {name} {value}", file=sys.stderr)
    print("Use it with: --broker kafka://" + cluster.bootstrap, file=sys.stderr)
    print(cluster.bootstrap, flush=True)


def _admin_access(cluster: Cluster, secured: Security) -> dict[str, object]:
    """Settings for a connection as the administrator."""
    access: dict[str, object] = {"protocol": secured.protocol, "username": ADMIN, "ca_file": str(cluster.ca_file)}
    if not secured.certificates:
        return access | {"mechanism": MECHANISM, "password_file": str(cluster.home / "admin-password")}
    mine = cluster.client()
    return access | {"cert_file": mine["ssl_certfile"], "key_file": mine["ssl_keyfile"]}


def _watch(cluster: Cluster) -> None:
    for node in cluster.nodes.values():
        if not node.running:
            raise NodeFailed(f"Node {node.number} ended", node.log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka.cluster", description="Apache Kafka on the loopback.")
    parser.add_argument("--nodes", type=int, choices=SIZES, default=1, help="1, or 3 with replication factor 3")
    parser.add_argument("--port", type=int, default=FIRST_PORT, help="first client port; 0 takes free ones")
    parser.add_argument("--data", type=Path, help="directory of the data (default: bopis-data/kafka-NODES)")
    access = parser.add_mutually_exclusive_group()
    access.add_argument("--secure", action="store_true", help="SASL_SSL with SCRAM-SHA-512, and access rules")
    access.add_argument(
        "--certificates",
        nargs="*",
        metavar="USER",
        help="SSL with a certificate for admin and each USER instead of passwords, and access rules",
    )
    parser.add_argument("--json", action="store_true", help="print the address as one JSON document")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
