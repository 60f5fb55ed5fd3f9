"""Calls that wait for their gateway, in their order of work, and how often a gateway may be called."""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import Operation
from bopis.ports import TopicPartition

# Calls that give money back or free it. A share of the work is theirs.
RELEASING = frozenset({Operation.VOID, Operation.REFUND, Operation.CLOSE})
RELEASING_EVERY = 4  # of four calls one is theirs, while both kinds wait
# Calls that may leave at once after a pause, as a part of a second's.
BURST_MS = 50
PER_CALL = 1_000  # thousandths of a call


class Place(NamedTuple):
    """A record on the topic of calls."""

    partition: TopicPartition
    offset: int


class WaitingCall:
    """A request for a call, from its record until its answer is published.

    A newer request of the same key takes the older one's place and answers it, so that there may be several records.
    ``perhaps_sent``: it was in the log before this runner had the partition, so another may have sent it already and
    may not have lived to publish the answer.
    """

    __slots__ = ("added_ms", "gateway", "is_probe", "owner", "perhaps_sent", "places", "requested", "sent_ms", "ticket")

    def __init__(self, requested: CallRequested, gateway: str, place: Place, *, perhaps_sent: bool) -> None:
        """``gateway`` is the name of the lane."""
        self.requested = requested
        self.gateway = gateway
        self.places = [place]
        self.perhaps_sent = perhaps_sent
        self.added_ms = 0
        self.owner = 0
        self.sent_ms = 0
        # The entry in the queue that is valid; 0: none.
        self.ticket = 0
        self.is_probe = False

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.requested.call.key

    @property
    def order(self) -> str:
        """The order it is about."""
        return self.requested.call.order

    @property
    def operation(self) -> Operation:
        """What is asked for."""
        return self.requested.call.operation

    def join(self, other: "WaitingCall") -> None:
        """Take over another request of the same key; the newer of both is sent."""
        self.places += other.places
        self.perhaps_sent |= other.perhaps_sent
        if other.requested.request > self.requested.request:
            self.requested = other.requested


Entry = tuple[int, int, int, WaitingCall]


class CallQueue:
    """Calls of one gateway that may be sent, by operation: the most urgent first, then the oldest."""

    def __init__(self) -> None:
        self._heaps: dict[Operation, list[Entry]] = {operation: [] for operation in Operation}
        self._tickets = 0
        self._turn = 0

    def push(self, waiting: WaitingCall) -> None:
        """Queue a call; one that is queued is queued anew by what is urgent now."""
        self._tickets += 1
        waiting.ticket = self._tickets
        requested = waiting.requested
        heappush(self._heaps[waiting.operation], (requested.urgent_ms, requested.first_ms, waiting.ticket, waiting))

    def waiting(self) -> list[Operation]:
        """Operations of which a call is queued."""
        return [operation for operation, heap in self._heaps.items() if _top(heap) is not None]

    def pop(self, operations: Iterable[Operation]) -> WaitingCall | None:
        """The call whose turn it is, among these operations. While both kinds wait, one in `RELEASING_EVERY` is
        money-releasing: neither kind starves behind the other."""
        tops = [top for it in operations if (top := _top(self._heaps[it])) is not None]
        releasing = min((it for it in tops if it[3].operation in RELEASING), default=None)
        others = min((it for it in tops if it[3].operation not in RELEASING), default=None)
        chosen = others or releasing
        if releasing is not None and others is not None:
            self._turn += 1
            chosen = releasing if self._turn % RELEASING_EVERY == 0 else others
        if chosen is None:
            return None
        waiting = chosen[3]
        heappop(self._heaps[waiting.operation])
        waiting.ticket = 0
        return waiting


def _top(heap: list[Entry]) -> Entry | None:
    """The first valid entry of a heap; entries that are not are removed."""
    while heap:
        if heap[0][2] == heap[0][3].ticket:
            return heap[0]
        heappop(heap)
    return None


class Pace:
    """How often something may be called: a leaky bucket in whole numbers, by the clock of its caller.

    aiolimiter sleeps by itself, in the order of its callers and on the loop's clock: neither the most urgent call could
    overtake, nor could the simulation turn the clock.
    """

    __slots__ = ("_at_ms", "_level", "_rate", "_room")

    def __init__(self, rate: int) -> None:
        """``rate`` is in calls per second; 0: any number."""
        self._rate = rate
        self._room = max(PER_CALL, rate * BURST_MS)
        self._level = self._room
        self._at_ms = 0

    def wait_ms(self, now_ms: int) -> int:
        """How long until a call may leave; 0: now."""
        if not self._rate:
            return 0
        self._level = min(self._room, self._level + self._rate * max(0, now_ms - self._at_ms))
        self._at_ms = max(self._at_ms, now_ms)
        return max(0, -((self._level - PER_CALL) // self._rate))

    def take(self) -> None:
        """Count a call that leaves; `wait_ms` was asked before."""
        if self._rate:
            self._level -= PER_CALL
