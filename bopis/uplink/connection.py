"""One connection to the centre over HTTPS that is kept open, with the key of the store."""

import http.client
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from bopis.adapters.agent_process import HttpsOptions
from bopis.uplink.errors import CentreBusy, CentreRefused, CentreUnreachable, CredentialRefused, KeyUnreadable

ANSWER_BYTES_MAX = 16 << 20
KEY_BYTES_MAX = 4_096
WAIT_SECONDS_MAX = 600.0
CAUSE_LENGTH_MAX = 300
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class CentreAnswer(NamedTuple):
    """An answer of the centre; names of headers are in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """A header; empty for one that the answer does not have."""
        return self.headers.get(name, "")


class CentreConnection:
    """Sends requests to the centre, one after the other. It connects at the first one, and again after a problem."""

    def __init__(self, options: HttpsOptions, timeout_seconds: float) -> None:
        self._options, self._timeout_seconds = options, timeout_seconds
        self._connection: http.client.HTTPConnection | None = None
        self._key = ""

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> CentreAnswer:
        """The answer to a request that may be sent twice. Raises `CentreUnreachable` and `KeyUnreadable`."""
        is_kept = self._connection is not None
        try:
            return self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not is_kept:
                raise self._unreachable(error) from error
        # A connection that was kept may have been closed by the other side meanwhile.
        try:
            return self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> CentreAnswer:
        connection = self._connected()
        sent = {**headers, "Authorization": f"Bearer {self._key}"}
        connection.request(method, urlsplit(self._options.url).path.rstrip("/") + path, body, sent)
        response = connection.getresponse()
        content = response.read(ANSWER_BYTES_MAX)
        if response.will_close:
            self.close()
        return CentreAnswer(response.status, content, {name.lower(): value for name, value in response.getheaders()})

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            # Read at each connection, so that a key may be replaced while the agent runs.
            self._key = self._read_key()
            where = urlsplit(self._options.url)
            host, timeout = where.hostname or "", self._timeout_seconds
            if where.scheme == "https":
                context = ssl.create_default_context(cafile=self._options.ca_file)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                self._connection = http.client.HTTPSConnection(host, where.port, timeout=timeout, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, where.port, timeout=timeout)
        return self._connection

    def _read_key(self) -> str:
        file = self._options.key_file
        try:
            with file.open("rb") as opened:
                return opened.read(KEY_BYTES_MAX).decode("ascii").strip()
        except OSError as error:
            raise KeyUnreadable(file=file, cause=error.strerror or error) from error
        except UnicodeDecodeError:
            raise KeyUnreadable(file=file, cause="it is no text in ASCII") from None

    def _unreachable(self, error: Exception) -> CentreUnreachable:
        return CentreUnreachable(address=self._options.url, cause=str(error) or type(error).__name__)


def raise_unless_served(address: str, answer: CentreAnswer) -> None:
    """Raise the error of an answer that is not about the request itself: `CredentialRefused` or `CentreBusy`."""
    if answer.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        raise CredentialRefused(address=address, status=answer.status)
    if answer.status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
        seconds = answer.header("retry-after")
        wait = min(float(seconds), WAIT_SECONDS_MAX) if seconds.isascii() and seconds.isdigit() else 0.0
        raise CentreBusy(address=address, status=answer.status, wait_seconds=wait)


def refusal(address: str, answer: CentreAnswer) -> CentreRefused:
    """The error of an answer that nobody expects."""
    text = " ".join(answer.body[:CAUSE_LENGTH_MAX].decode(errors="replace").split()) or "without a text"
    return CentreRefused(address=address, status=answer.status, cause=text)
