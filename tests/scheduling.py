"""The order and the distribution of tests over processes: what shares a server runs in one process, the longest first.

A server costs processor time as long as it runs, also while nothing is asked of it. Three processes that each started
an installation for the same folder spent a good part of two cores on idle servers.
"""

from collections.abc import Iterable

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

# Folders whose files share a server, which ends with the last of them, or the parsed source tree.
ROOMS = ("tests/cli/", "tests/web/", "tests/security/", "tests/house/")
# Files of these folders that start servers of their own.
APART = frozenset(
    {
        "tests/cli/test_codes_after_kills.py",
        "tests/cli/test_payments.py",
        "tests/cli/test_readme.py",
        "tests/cli/test_running.py",
        "tests/security/test_certificates.py",
        "tests/web/api/test_kills_while_placing.py",
        "tests/web/api/test_on_apache_kafka.py",
        "tests/web/api/test_outages.py",
    }
)
# Rooms and files that take longest, the longest first: none of them is left over at the end when the others are done.
LONG = (
    "tests/cli/",
    "tests/web/",
    "tests/security/",
    "tests/services/replay/test_replay.py",
    "tests/services/topics/test_migrate.py",
    "tests/deploy/test_wheel.py",
    "tests/backup/test_losing_everything.py",
    "tests/web/api/test_outages.py",
    "tests/web/api/test_kills_while_placing.py",
    "tests/readside/history/test_both_clocks.py",
    "tests/cli/test_running.py",
    "tests/faults/test_payments.py",
    "tests/faults/test_logs_die.py",
    "tests/contract/test_groups.py",
    "tests/faults/test_workers_die.py",
    "tests/services/topics/test_topics.py",
    "tests/services/privacy/test_erasing.py",
    "tests/streams/engine/test_standby.py",
    "tests/readside/projection/test_side_by_side.py",
    "tests/demo/test_demo.py",
    "tests/readside/worker/test_faults.py",
    "tests/contract/test_restart.py",
    "tests/streams/engine/test_absence.py",
    "tests/readside/worker/test_worker.py",
    "tests/cli/test_payments.py",
    "tests/simulation/test_simulation.py",
    "tests/cli/test_codes_after_kills.py",
    "tests/readside/projection/test_crashes.py",
    "tests/contract/test_keeping.py",
    "tests/streams/engine/test_joining_and_leaving.py",
    "tests/faults/test_orders.py",
    "tests/streams/health/test_watchdogs.py",
    "tests/cli/test_readme.py",
    "tests/faults/test_kills.py",
    "tests/faults/test_disks.py",
    "tests/services/notices/test_notifier.py",
    "tests/streams/engine/test_crashes.py",
    "tests/streams/engine/test_ownership_of_partitions.py",
)
_RANK = {name: number for number, name in enumerate(LONG)}


def room_of(test: str) -> str:
    """The unit that a test (its node id) belongs to, which one process runs: a folder with a server, else its file."""
    file = test.split("::", 1)[0]
    return next((it for it in ROOMS if file.startswith(it) and file not in APART), file)


def long_ones_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Tests with those of the longest units first; the other ones stay in the order of chance (pytest-randomly)."""
    return sorted(items, key=lambda item: _RANK.get(room_of(item.nodeid), len(_RANK)))


class RoomScheduling(LoadScopeScheduling):
    """Gives a process one unit after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return room_of(nodeid)
