"""Diagnose why the log rejects a connection.

A client library retries until its time-out and then reports only that it could not connect. This module makes the
steps of one connection itself (TCP, TLS, ApiVersions, SASL as in the Apache Kafka protocol guide), so that the failing
step has a name. A log that cannot be reached is no rejection: retrying may help.
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
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
OTHER_HOST = frozenset({62, 64})
CLIENT_CERTIFICATE_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN")
# The broker closes the connection instead of answering; it resets it when it had not read the whole request.
CONNECTION_CLOSED = (EOFError, ConnectionResetError, BrokenPipeError)
Options = Mapping[str, Any]


def find_rejection(bootstrap: str, options: Options) -> errors.ConnectionRejected | None:
    """Why every reachable address of HOST:PORT[,HOST:PORT] rejects a client with these options; the first reason.

    None if one address accepts the client, or if none can be reached.
    """
    first: errors.ConnectionRejected | None = None
    for address in bootstrap.split(","):
        try:
            _connect(address, options)
        except errors.ConnectionRejected as error:
            first = first or error
        except (OSError, EOFError, ValueError):
            continue
        else:
            return None
    return first


def _connect(address: str, options: Options) -> None:
    """Make every step of a connection. Raises `ConnectionRejected` at the step that fails, OSError without a log."""
    security = str(options.get("security_protocol", "PLAINTEXT"))
    connection: socket.socket = _open_socket(address)
    try:
        if security.endswith("SSL"):
            connection = _with_tls(connection, address, options["ssl_context"])
        client = _ProtocolClient(connection)
        try:
            _negotiate_versions(client, address, security)
            if security.startswith("SASL"):
                _log_in(client, address, options)
            _request_metadata(client, address, security)
        except ssl.SSLError as error:
            if any(alert in str(error.reason) for alert in CLIENT_CERTIFICATE_ALERTS):
                raise errors.CertificateRefused(address=address, cause=_reason(error)) from error
            raise errors.TlsFailed(address=address, cause=_reason(error)) from error
    finally:
        connection.close()


def _open_socket(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), STEP_SECONDS_MAX)


def _with_tls(plain: socket.socket, address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(plain, server_hostname=address.rsplit(":", 1)[0])
    except ssl.SSLCertVerificationError as error:
        kind = errors.HostNameDiffers if error.verify_code in OTHER_HOST else errors.CertificateUntrusted
        raise kind(address=address, cause=error.verify_message.rstrip(".")) from error
    except (ssl.SSLError, ConnectionError) as error:
        if _speaks_plain_text(address):
            raise errors.TlsNotSupported(address=address, security="plaintext or sasl_plaintext") from error
        if isinstance(error, ssl.SSLError):
            raise errors.TlsFailed(address=address, cause=_reason(error)) from error
        raise


def _negotiate_versions(client: "_ProtocolClient", address: str, security: str) -> None:
    """ApiVersions is the one request that every broker answers before a login."""
    try:
        client.request(ApiVersionsRequest(version=0), ApiVersionsResponse)
    except (*CONNECTION_CLOSED, ValueError) as error:
        if not security.endswith("SSL") and _speaks_tls(address):
            raise errors.TlsRequired(address=address) from error
        raise


def _log_in(client: "_ProtocolClient", address: str, options: Options) -> None:
    name, username = options["sasl_mechanism"], options["sasl_plain_username"]
    security = str(options["security_protocol"])
    try:
        offered = client.request(SaslHandshakeRequest(mechanism=name, version=1), SaslHandshakeResponse)
    except CONNECTION_CLOSED as error:
        raise errors.LoginNotSupported(address=address, security=_without_login(security)) from error
    if offered.error_code == UNSUPPORTED_MECHANISM:
        raise errors.MechanismRefused(address=address, mechanism=name, offered=", ".join(sorted(offered.mechanisms)))
    if offered.error_code:
        raise errors.LoginNotSupported(address=address, security=_without_login(security))
    mechanism = get_sasl_mechanism(name)(host=address.rsplit(":", 1)[0], **options)
    for _ in range(LOGIN_STEPS_MAX):
        response = client.request(
            SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes(), version=1), SaslAuthenticateResponse
        )
        if response.error_code:
            raise errors.LoginRefused(address=address, username=username)
        mechanism.receive(response.auth_bytes)
        if mechanism.is_done():
            return
    raise errors.LoginRefused(address=address, username=username)


def _request_metadata(client: "_ProtocolClient", address: str, security: str) -> None:
    """A broker that requires a login closes the connection on any other request before it."""
    try:
        client.request(MetadataRequest(topics=[], version=1), MetadataResponse)
    except CONNECTION_CLOSED as error:
        if not security.startswith("SASL"):
            raise errors.LoginRequired(address=address, security=f"sasl_{security.lower()}") from error
        raise


def _without_login(security: str) -> str:
    return security.removeprefix("SASL_").lower()


def _speaks_plain_text(address: str) -> bool:
    with contextlib.suppress(OSError, EOFError, ValueError), _open_socket(address) as connection:
        _ProtocolClient(connection).request(ApiVersionsRequest(version=0), ApiVersionsResponse)
        return True
    return False


def _speaks_tls(address: str) -> bool:
    any_server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # No data is sent over this connection, it only tests for TLS: so the certificate does not matter.
    any_server.check_hostname = False
    any_server.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), _open_socket(address) as connection, any_server.wrap_socket(connection):
        return True
    return False


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


class _ProtocolClient:
    """Sends requests of the Kafka protocol and reads their responses, one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._correlation_id = 0

    def request(self, request: Any, response_type: Any) -> Any:
        """The response. Raises `ValueError` for bytes that are none, `EOFError` when the broker closes."""
        self._correlation_id += 1
        request.with_header(correlation_id=self._correlation_id, client_id="bopis-handshake")
        self._connection.sendall(request.encode(header=True, framed=True))
        (length,) = struct.unpack(">i", self._receive(4))
        if not 0 < length <= FRAME_BYTES_MAX:
            raise ValueError("not a response of the Kafka protocol")
        frame = self._receive(length)
        try:
            return response_type.decode(frame, version=request.API_VERSION, header=True)
        except Exception as error:
            raise ValueError("not a response of the Kafka protocol") from error

    def _receive(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            part = self._connection.recv(count - len(received))
            if not part:
                raise EOFError("the broker closed the connection")
            received += part
        return received
