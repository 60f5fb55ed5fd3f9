"""An attempt is repeated until it succeeds or its caller gives up."""

import time

import pytest

from streams.engine.retry import retried
from streams.limits import StreamLimits

QUICK = StreamLimits(retry_backoff_ms=1, retry_backoff_ms_max=4)


class Attempts:
    """Fails so often, then succeeds; notes when it was called."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(time.monotonic())
        if len(self.times) <= self.failures:
            raise ConnectionError(len(self.times))
        return "done"


async def test_the_reply_of_the_first_attempt_that_succeeds_is_returned() -> None:
    attempts, failures = Attempts(3), []

    reply = await retried(attempts, QUICK, lambda error, seconds: failures.append((error.args, seconds)))

    assert reply == "done"
    assert [args for args, _ in failures] == [(1,), (2,), (3,)]
    waited = [seconds for _, seconds in failures]
    assert waited == sorted(waited)
    assert waited[-1] > 0.003


async def test_the_wait_doubles_up_to_its_limit() -> None:
    attempts = Attempts(6)
    limits = StreamLimits(retry_backoff_ms=20, retry_backoff_ms_max=60)

    await retried(attempts, limits, lambda error, seconds: None)

    waits = [after - before for before, after in zip(attempts.times, attempts.times[1:], strict=False)]
    assert all(wait >= least for wait, least in zip(waits, (0.019, 0.039, 0.059, 0.059, 0.059, 0.059), strict=True))


async def test_an_error_that_ends_the_patience_leaves_at_once() -> None:
    attempts = Attempts(10)

    def failed(error: Exception, _: float) -> None:
        if error.args == (2,):
            raise TimeoutError from error

    with pytest.raises(TimeoutError):
        await retried(attempts, QUICK, failed)

    assert len(attempts.times) == 2
