"""The fake gateway's callbacks: signed anew for each attempt, repeated with growing waits until they are taken."""

import asyncio
import heapq

import httpx
import msgspec

from bopis.adapters.gateways.fake_bank import FakeBank
from bopis.adapters.gateways.fake_book import CallbackDue, Record
from bopis.adapters.gateways.fake_script import happens
from bopis.adapters.gateways.signatures import signed_headers
from bopis.domain.payments.gateway import GatewayReport

IN_FLIGHT_MAX = 32
TIMEOUT_S = 5.0
WAIT_FIRST_MS = 100
WAIT_MAX_MS = 10_000
TRIES_MAX = 60
# The receiver wants no more of them.
GONE = 410


class CallbackBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON document of a callback."""

    type: str
    report: GatewayReport


class CallbackSender:
    """Delivers what the bank reports to one address. `send_due` starts the deliveries that are due."""

    def __init__(self, bank: FakeBank, url: str, key: bytes) -> None:
        self._bank = bank
        self._url = url
        self._key = key
        self._tries: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    def send_due(self) -> None:
        """Start as many deliveries as are due and may be under way together."""
        due = self._bank.callbacks_due
        while due and due[0][0] <= self._bank.now_ms and len(self._tasks) < IN_FLIGHT_MAX:
            _, event = heapq.heappop(due)
            callback = self._bank.book.outbox.get(event)
            if callback is not None:
                task = asyncio.create_task(self._deliver(callback))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop; what was not taken is sent after the next start."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, callback: CallbackDue) -> None:
        options = self._bank.options
        is_taken = await self._post(callback)
        if is_taken and happens(options.duplicate_callbacks, options.seed, f"{callback.id}/duplicate"):
            await self._post(callback)
        tries = self._tries.pop(callback.id, 0) + 1
        if is_taken or tries >= TRIES_MAX:
            self._bank.book.commit(Record(delivered=callback.id))
            return
        self._tries[callback.id] = tries
        wait_ms = min(WAIT_FIRST_MS * 2 ** min(tries - 1, 16), WAIT_MAX_MS)
        heapq.heappush(self._bank.callbacks_due, (self._bank.now_ms + wait_ms, callback.id))

    async def _post(self, callback: CallbackDue) -> bool:
        body = msgspec.json.encode(CallbackBody(type=f"payment.{callback.report.kind.value}", report=callback.report))
        # The signature has the receiver's time: the options may turn the gateway's clock far ahead.
        headers = signed_headers(self._key, callback.id, self._bank.clock() // 1000, body)
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return response.is_success or response.status_code == GONE
