"""Requests that the log refuses this worker for good: named, because trying again would not change the reply."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    NoError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from bopis.adapters.errors import ConnectionRejected, TlsFailed
from streams.errors import AccessRefused, RightMissing

# The right that was needed when nothing better is known, by the library's error.
_RIGHTS = {
    TopicAuthorizationFailedError: "READ on topic",
    GroupAuthorizationFailedError: "READ on group",
    TransactionalIdAuthorizationFailed: "WRITE on transactional id",
    ClusterAuthorizationFailedError: "CREATE on the topics or the cluster",
}
REFUSALS = tuple(_RIGHTS)
SEE = "DESCRIBE (READ and WRITE include it)"
PROBE_EVERY_S = 1.0
PROBES_ALIKE = 2


def check(code: int, right: str) -> None:
    """Raise for the error code of a reply: `RightMissing` with the right that the request needed, else the library's
    own error."""
    error = for_code(code)
    if error in REFUSALS:
        raise RightMissing(right=right)
    if error is not NoError:
        raise error(right)


def named(error: BaseException | None) -> BaseException | None:
    """A library's refusal as `RightMissing`; any other error as it is."""
    for kind, right in _RIGHTS.items():
        if isinstance(error, kind):
            subject = error.args[0] if error.args else ""
            names = sorted(map(str, subject)) if isinstance(subject, set | list | tuple) else [str(subject)]
            return RightMissing(right=f"{right} {', '.join(names)}".rstrip())
    return error


class AccessCheck:
    """Probes in the background whether the log refuses this worker's connections for good.

    The attempts to reach the log fail without a cause when TLS or the login is refused; a probe finds it. A log that is
    just going down can look like one that refuses, so two probes must agree.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._probed = 0.0
        self._thread: threading.Thread | None = None
        self._results: list[ConnectionRejected | None] = []

    def refresh(self) -> None:
        """Start the next probe when it is time; raises `AccessRefused` once it is certain."""
        if len(self._results) >= PROBES_ALIKE:
            last = self._results[-PROBES_ALIKE:]
            if last[0] is not None and len({type(it) for it in last}) == 1 and not isinstance(last[0], TlsFailed):
                raise AccessRefused(cause=str(last[-1]))
        is_running = self._thread is not None and self._thread.is_alive()
        if not is_running and time.monotonic() - self._probed >= PROBE_EVERY_S:
            self._probed = time.monotonic()
            # A daemon: a log that answers nothing must not hold up the end of the process.
            self._thread = threading.Thread(target=self._probe, name="access-check", daemon=True)
            self._thread.start()

    def _probe(self) -> None:
        # Imported here, because a worker whose connections are accepted never needs it.
        from bopis.adapters.handshake import find_rejection

        result = find_rejection(str(self._options["bootstrap_servers"]), self._options)
        self._results = [*self._results, result][-PROBES_ALIKE:]
