"""A machine that was asleep: nobody is dropped for not having been heard meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.contract.members import MemberWire
from tests.engines import EmbeddedEngine


def test_members_survive_a_pause_of_the_whole_process(own_log: Callable[..., EmbeddedEngine]) -> None:
    engine = own_log()
    member = MemberWire(engine.address, "sleepers")
    member.session_ms = 1_500
    member.join()
    member.sync({member.member_id: b"all"})

    engine.signal(signal.SIGSTOP)
    time.sleep(3.0)
    engine.signal(signal.SIGCONT)
    time.sleep(0.3)

    assert member.heartbeat() == 0
    member.close()
