"""Settings of TLS and SASL as options of a Kafka client."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bopis.adapters.errors import SecurityFileInvalid

if TYPE_CHECKING:  # a store agent uses this module, and has no memory for the library of settings
    from bopis.settings import Settings

SECRET_BYTES_MAX = 4_096
CONTEXTS_KEPT = 8


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """Security of a connection to the log. The default is plain text, as the embedded log speaks on the loopback.

    kafka-python and aiokafka take the same options under the same names, so one function serves both; Faust has types
    of its own (`streams/engine/faust_app.py`).
    """

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    check_hostname: bool = True

    @property
    def tls(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        return self.protocol.startswith("SASL")

    @property
    def principal(self) -> str:
        """The principal in the log's access rules, as far as the client knows it."""
        return f"User:{self.username}" if self.sasl else "User:ANONYMOUS" if not self.tls else "the certificate's name"

    def __repr__(self) -> str:
        # Tracebacks and logs show values: never a password.
        return f"Security({self.protocol} {self.mechanism} {self.username})".replace("  ", " ")

    __str__ = __repr__

    def client_options(self) -> dict[str, Any]:
        """The options of an aiokafka or kafka-python client. Raises `SecurityFileInvalid`."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.tls:
            options["ssl_context"] = self.tls_context()
        if self.sasl:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options

    def tls_context(self) -> ssl.SSLContext:
        """Trusted authorities and own certificate; TLS 1.2 or newer. Raises `SecurityFileInvalid`."""
        return _context(self.ca_file, self.cert_file, self.key_file, self.check_hostname)


@lru_cache(CONTEXTS_KEPT)
def _context(ca: Path | None, cert: Path | None, key: Path | None, check_hostname: bool) -> ssl.SSLContext:
    """One context for all clients of a process: loading the machine's authorities is slow."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_hostname
    if ca is None:
        context.load_default_certs()
    else:
        _loaded("broker_ca_file", ca, lambda: context.load_verify_locations(cafile=ca))
    if cert is not None:
        _loaded("broker_cert_file", cert, lambda: context.load_cert_chain(cert, key, password=_no_passphrase))
    return context


def security_of(settings: "Settings") -> Security:
    """The security that the settings describe, with the password read from its file. Raises `SecurityFileInvalid`."""
    protocol = settings.broker_security.upper()
    password = settings.broker_password.get_secret_value()
    if settings.broker_password_file is not None:
        password = _secret("broker_password_file", settings.broker_password_file)
    return Security(
        protocol=protocol,
        mechanism=settings.broker_sasl_mechanism if protocol.startswith("SASL") else "",
        username=settings.broker_username,
        password=password,
        ca_file=settings.broker_ca_file,
        cert_file=settings.broker_cert_file,
        key_file=settings.broker_key_file,
        check_hostname=settings.broker_check_hostname,
    )


def _secret(setting: str, file: Path) -> str:
    """The secret in a file, without the line end that editors append. Raises `SecurityFileInvalid`."""
    try:
        with file.open("rb") as opened:
            read = opened.read(SECRET_BYTES_MAX + 1)
        secret = read.decode().rstrip("\r\n")
    except OSError as error:
        raise SecurityFileInvalid(setting=setting, file=file, cause=error.strerror or error) from error
    except UnicodeDecodeError as error:
        # Not chained: the cause contains the bytes of the secret.
        raise SecurityFileInvalid(setting=setting, file=file, cause=f"not UTF-8 at byte {error.start}") from None
    if not secret or len(read) > SECRET_BYTES_MAX:
        cause = "it is empty" if not secret else f"it is larger than {SECRET_BYTES_MAX} bytes"
        raise SecurityFileInvalid(setting=setting, file=file, cause=cause)
    return secret


def _loaded(setting: str, file: Path, load: Any) -> None:
    try:
        load()
    except ssl.SSLError as error:
        cause = f"not valid PEM: {error.reason or error}"
        raise SecurityFileInvalid(setting=setting, file=file, cause=cause) from error
    except OSError as error:
        raise SecurityFileInvalid(setting=setting, file=file, cause=error.strerror or error) from error


def _no_passphrase() -> str:
    """Replaces OpenSSL's prompt, which would block a service that has no terminal."""
    raise OSError("the key is locked with a passphrase; give a key without one, readable by this user only")
