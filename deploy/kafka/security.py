"""Certificates and users of a secured cluster, for development and tests, not for production.

Clients use SASL_SSL: TLS with a certificate authority of the cluster, and a SCRAM-SHA-512 login; or SSL with a client
certificate of the same authority (mutual TLS). Nodes authenticate each other by certificates of that authority, so
their properties contain no password.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.kafka.errors import LayoutUnfit
from deploy.kafka.jars import program

ADMIN = "admin"
MECHANISM = "SCRAM-SHA-512"
PROTOCOL, CERTIFIED_PROTOCOL = "SASL_SSL", "SSL"
NODE_PRINCIPAL = "User:CN=bopis-kafka-node"
DAYS_VALID = 3650
LOGGED_IN = {
    "sasl.enabled.mechanisms": MECHANISM,
    "listener.name.client.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
}
# A certificate for CN=till is the user "till", so access rules name the same users as with passwords.
CERTIFIED = {
    "listener.name.client.ssl.client.auth": "required",
    "listener.name.client.ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/,DEFAULT",
}


@dataclass(frozen=True)
class Security:
    """Passwords by user. The user `admin` is required and has every right; other users have none until an access rule
    grants one. `certificates`: users log in by certificate, without a password."""

    users: Mapping[str, str] = field(default_factory=lambda: {ADMIN: os.urandom(12).hex()})
    certificates: bool = False

    def __post_init__(self) -> None:
        if ADMIN not in self.users:
            raise LayoutUnfit(f"A secured cluster needs the user {ADMIN!r}: add it to the users.")
        if any(set(name + word) & set("[],='\"; ") for name, word in self.users.items()):
            raise LayoutUnfit("Names and passwords of users may not contain blanks, quotes or any of [ ] , = ;")
        if self.certificates and any(not name or set(name) & set("/\\+<>#") for name in self.users):
            raise LayoutUnfit("A name in a certificate may not be empty and may not contain any of / \\ + < > #")

    @property
    def protocol(self) -> str:
        """Security protocol of clients."""
        return CERTIFIED_PROTOCOL if self.certificates else PROTOCOL

    def client(self, directory: Path, user: str = ADMIN) -> dict[str, str]:
        """Settings for kafka-python to connect as this user."""
        if self.certificates:
            certificate, key = certificate_of(directory, user)
            return {
                "security_protocol": CERTIFIED_PROTOCOL,
                "ssl_cafile": str(authority(directory)),
                "ssl_certfile": str(certificate),
                "ssl_keyfile": str(key),
            }
        return {
            "security_protocol": PROTOCOL,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": user,
            "sasl_plain_password": self.users[user],
            "ssl_cafile": str(authority(directory)),
        }

    def scram_arguments(self) -> list[str]:
        """The users as arguments of the formatting tool; none for certificates."""
        if self.certificates:
            return []
        words = (f"{MECHANISM}=[name={name},password={word}]" for name, word in self.users.items())
        return [part for word in words for part in ("--add-scram", word)]

    def properties(self, directory: Path) -> dict[str, str]:
        """Settings of a node for listeners, certificates and access rules."""
        settings = {
            "listener.security.protocol.map": f"CLIENT:{self.protocol},INTERNAL:SSL,CONTROLLER:SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(directory / "node.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority(directory)),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN};{NODE_PRINCIPAL}",
        }
        settings |= {f"listener.name.{name}.ssl.client.auth": "required" for name in ("internal", "controller")}
        return settings | (CERTIFIED if self.certificates else LOGGED_IN)


def authority(directory: Path) -> Path:
    """The certificate that clients trust."""
    return directory / "ca.pem"


def certificate_of(directory: Path, user: str) -> tuple[Path, Path]:
    """A user's certificate and its key."""
    return directory / f"client-{user}.crt", directory / f"client-{user}.key"


def make_certificates(directory: Path, users: Iterable[str] = ()) -> None:
    """Make an authority, one certificate for all nodes, valid for 127.0.0.1 and localhost, and one for each user.
    Existing files stay."""
    joined = directory / "node.pem"
    if not joined.exists():
        directory.mkdir(parents=True, exist_ok=True)
        key, certificate = directory / "node.key", directory / "node.crt"
        ca = directory / "ca.key"
        _openssl("req", "-x509", *_new_key(ca), "-out", authority(directory), "-subj", "/CN=bopis-kafka-authority")
        _sign(directory, "bopis-kafka-node", certificate, key)
        joined.touch(mode=0o600)
        joined.write_text(key.read_text() + certificate.read_text())
    for user in users:
        certificate, key = certificate_of(directory, user)
        if not certificate.exists():
            _sign(directory, user, certificate, key)


def _sign(directory: Path, name: str, certificate: Path, key: Path) -> None:
    _openssl(
        *("req", "-x509", *_new_key(key), "-out", certificate, "-subj", f"/CN={name}"),
        *("-CA", authority(directory), "-CAkey", directory / "ca.key"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"),
    )


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "rsa:2048", "-nodes", "-keyout", path, "-days", str(DAYS_VALID))


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([program("openssl"), *map(str, arguments)], check=True, capture_output=True)
