"""Repeating what fails for a reason that passes.

A loop of our own and not stamina's: that one costs 28 microseconds a call, which every commit would pay for each of its
requests, and it logs each attempt, where an absence is logged once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.limits import StreamLimits

ReplyT = TypeVar("ReplyT")


class Retry(Exception):
    """This attempt failed for a reason that passes: try again."""


async def retried(
    attempt: Callable[[], Awaitable[ReplyT]], limits: StreamLimits, failed: Callable[[Exception, float], None]
) -> ReplyT:
    """The reply of `attempt`, which is repeated with exponential back-off.

    `failed` is called with the error of each attempt and the seconds since the first one began. It returns for the next
    attempt and raises to give up.
    """
    began, backoff_ms = time.monotonic(), limits.retry_backoff_ms
    while True:
        try:
            return await attempt()
        except Exception as error:
            failed(error, time.monotonic() - began)
        await asyncio.sleep(backoff_ms / 1000)
        backoff_ms = min(backoff_ms * 2, limits.retry_backoff_ms_max)
