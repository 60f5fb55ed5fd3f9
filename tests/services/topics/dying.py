"""The program, killed without warning at a named moment: ``dying.py append:700 topics migrate …``.

``append:N`` dies when it hands the Nth record to the log: most of those before it are there, the last ones on their
way. ``alter:N`` dies before the Nth topic is altered.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import cli
from bopis.adapters.copying import CopyWriter
from bopis.adapters.topics import TopicKeeper

moment, number = sys.argv[1].split(":")
OWNER: Any = {"append": CopyWriter, "alter": TopicKeeper}[moment]
original: Callable[..., None] = getattr(OWNER, moment)
left = int(number)


ON_THEIR_WAY = 40
SENDING_SECONDS = 0.03  # the client lets records linger for about as long


def counted(self: Any, *arguments: Any) -> None:
    global left
    left -= 1
    if moment == "append" and left == ON_THEIR_WAY:
        self.flush()
    if left <= 0:
        time.sleep(SENDING_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, *arguments)


setattr(OWNER, moment, counted)
cli.app(sys.argv[2:])
