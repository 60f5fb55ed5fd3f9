"""Why the log does not let somebody in.

A client library that cannot connect tries again until its patience ends, and then knows only that it could not. This
goes through the steps of a connection once, by hand (reach, TLS, a word of the protocol, login), so that the step
that fails can be named. What may pass by itself, a log that is away, is no answer here.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any

from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse
from kafka.protocol.sasl import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
    SaslHandshakeRequest,
    SaslHandshakeResponse,
)

from bopis.adapters import errors

STEP_SECONDS_MAX = 5.0
FRAME_BYTES_MAX = 1 << 20
UNSUPPORTED_MECHANISM = 33
LOGIN_STEPS_MAX = 8
# OpenSSL's numbers for a certificate that names another host, or another address.
OTHER_HOST = frozenset({62, 64})
CLIENT_CERTIFICATE_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN")
# The other side closes the connection where an answer is due: with a reset when it had not read everything.
HUNG_UP = (EOFError, ConnectionResetError, BrokenPipeError)
Options = Mapping[str, Any]


def shut_out(bootstrap: str, options: Options) -> errors.ShutOut | None:
    """Why nobody comes in at any of HOST:PORT[,HOST:PORT] with these client options, as far as it is for good.

    None when one of them lets this process in, and when none can be reached.
    """
    first: errors.ShutOut | None = None
    for address in bootstrap.split(","):
        try:
            _come_in(address, options)
        except errors.ShutOut as error:
            first = first or error
        except (OSError, EOFError, ValueError):
            continue
        else:
            return None
    return first


def _come_in(address: str, options: Options) -> None:
    """All steps of a connection; raises `ShutOut` at the one that fails, OSError when the log is away."""
    security = str(options.get("security_protocol", "PLAINTEXT"))
    connection: socket.socket = _reach(address)
    try:
        if security.endswith("SSL"):
            connection = _with_tls(connection, address, options["ssl_context"])
        talk = _Talk(connection)
        try:
            _greet(talk, address, security)
            if security.startswith("SASL"):
                _log_in(talk, address, options)
            _ask_as_anybody(talk, address, security)
        except ssl.SSLError as error:
            if any(it in str(error.reason) for it in CLIENT_CERTIFICATE_ALERTS):
                raise errors.CertificateRefused(address=address, cause=_said(error)) from error
            raise errors.TlsBroken(address=address, cause=_said(error)) from error
    finally:
        connection.close()


def _reach(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), STEP_SECONDS_MAX)


def _with_tls(plain: socket.socket, address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(plain, server_hostname=address.rsplit(":", 1)[0])
    except ssl.SSLCertVerificationError as error:
        kind = errors.HostNameDiffers if error.verify_code in OTHER_HOST else errors.CertificateUntrusted
        raise kind(address=address, cause=error.verify_message.rstrip(".")) from error
    except (ssl.SSLError, ConnectionError) as error:
        if _speaks_plainly(address):
            raise errors.TlsUnknown(address=address, security="plaintext or sasl_plaintext") from error
        if isinstance(error, ssl.SSLError):
            raise errors.TlsBroken(address=address, cause=_said(error)) from error
        raise


def _greet(talk: "_Talk", address: str, security: str) -> None:
    """A word that every log answers before anybody has logged in."""
    try:
        talk.ask(ApiVersionsRequest(version=0), ApiVersionsResponse)
    except (*HUNG_UP, ValueError) as error:
        if not security.endswith("SSL") and _speaks_tls(address):
            raise errors.TlsWanted(address=address) from error
        raise


def _log_in(talk: "_Talk", address: str, options: Options) -> None:
    name, username = options["sasl_mechanism"], options["sasl_plain_username"]
    security = str(options["security_protocol"])
    try:
        offered = talk.ask(SaslHandshakeRequest(mechanism=name, version=1), SaslHandshakeResponse)
    except HUNG_UP as error:
        raise errors.LoginUnknown(address=address, security=_without_login(security)) from error
    if offered.error_code == UNSUPPORTED_MECHANISM:
        raise errors.MechanismRefused(address=address, mechanism=name, offered=", ".join(sorted(offered.mechanisms)))
    if offered.error_code:
        raise errors.LoginUnknown(address=address, security=_without_login(security))
    mechanism = get_sasl_mechanism(name)(host=address.rsplit(":", 1)[0], **options)
    for _ in range(LOGIN_STEPS_MAX):
        answer = talk.ask(
            SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes(), version=1), SaslAuthenticateResponse
        )
        if answer.error_code:
            raise errors.LoginRefused(address=address, username=username)
        mechanism.receive(answer.auth_bytes)
        if mechanism.is_done():
            return
    raise errors.LoginRefused(address=address, username=username)


def _ask_as_anybody(talk: "_Talk", address: str, security: str) -> None:
    """A question that a log with a login answers only after it."""
    try:
        talk.ask(MetadataRequest(topics=[], version=1), MetadataResponse)
    except HUNG_UP as error:
        if not security.startswith("SASL"):
            raise errors.LoginWanted(address=address, security=f"sasl_{security.lower()}") from error
        raise


def _without_login(security: str) -> str:
    return security.removeprefix("SASL_").lower()


def _speaks_plainly(address: str) -> bool:
    with contextlib.suppress(OSError, EOFError, ValueError), _reach(address) as connection:
        _Talk(connection).ask(ApiVersionsRequest(version=0), ApiVersionsResponse)
        return True
    return False


def _speaks_tls(address: str) -> bool:
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is said over this connection: only whether TLS is spoken is looked at.
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), _reach(address) as connection, anybody.wrap_socket(connection):
        return True
    return False


def _said(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


class _Talk:
    """Questions and answers of the protocol, one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._number = 0

    def ask(self, question: Any, answer: Any) -> Any:
        self._number += 1
        question.with_header(correlation_id=self._number, client_id="bopis-handshake")
        self._connection.sendall(question.encode(header=True, framed=True))
        (length,) = struct.unpack(">i", self._read(4))
        if not 0 < length <= FRAME_BYTES_MAX:
            raise ValueError("no answer of this protocol")
        frame = self._read(length)
        try:
            return answer.decode(frame, version=question.API_VERSION, header=True)
        except Exception as error:
            raise ValueError("no answer of this protocol") from error

    def _read(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            part = self._connection.recv(count - len(read))
            if not part:
                raise EOFError("the log hung up")
            read += part
        return read
