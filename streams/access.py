"""What the log does not allow this worker: told by name, because trying again would not change it."""

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

from bopis.adapters.errors import ShutOut, TlsBroken
from streams.errors import LogShut, RightMissing

# What an error of the library is about, and the right that was needed when nothing better is known.
_RIGHTS = {
    TopicAuthorizationFailedError: "READ on topic",
    GroupAuthorizationFailedError: "READ on group",
    TransactionalIdAuthorizationFailed: "WRITE on transactional id",
    ClusterAuthorizationFailedError: "CREATE on the topics or the cluster",
}
REFUSALS = tuple(_RIGHTS)
SEE = "DESCRIBE (READ and WRITE include it)"
LOOK_EVERY_S = 1.0
LOOKS_ALIKE = 2


def check(code: int, right: str) -> None:
    """Raise for an answer's error code: `RightMissing` with the right that the request needed, else the library's
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
            told = error.args[0] if error.args else ""
            names = sorted(map(str, told)) if isinstance(told, set | list | tuple) else [str(told)]
            return RightMissing(right=f"{right} {', '.join(names)}".rstrip())
    return error


class Door:
    """Looks whether the log shuts this worker out for good, beside the attempts to reach it, which know no cause.

    A log that is just going down can look shut for a moment, so the same must be seen twice.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._looked = 0.0
        self._thread: threading.Thread | None = None
        self._seen: list[ShutOut | None] = []

    def look(self) -> None:
        """Look again unless somebody looks already; raises `LogShut` once it is certain."""
        if len(self._seen) >= LOOKS_ALIKE:
            last = self._seen[-LOOKS_ALIKE:]
            if last[0] is not None and len({type(it) for it in last}) == 1 and not isinstance(last[0], TlsBroken):
                raise LogShut(cause=str(last[-1]))
        looking = self._thread is not None and self._thread.is_alive()
        if not looking and time.monotonic() - self._looked >= LOOK_EVERY_S:
            self._looked = time.monotonic()
            # A daemon: a log that answers nothing must not hold up the end of the process.
            self._thread = threading.Thread(target=self._look, name="door", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        # A worker that is let in never needs it.
        from bopis.adapters.handshake import shut_out

        seen = shut_out(str(self._options["bootstrap_servers"]), self._options)
        self._seen = [*self._seen, seen][-LOOKS_ALIKE:]
