"""Baskets leave as a till would send them, the same bytes in every run."""

import subprocess
import sys
from pathlib import Path

import pytest

from bopis.services.replay.sending import AT_ONCE, Pace, send
from tests.services.replay.exports import RememberingLog, Seen, csv_of, write

ROWS = [f"{i % 3},{i // 2},sku{i % 5},{i % 4 - 1},{i},2024-05-01T10:{i // 6:02}:00Z" for i in range(60)]


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def test_each_store_counts_its_own_messages_from_one(tmp_path: Path) -> None:
    seen, log = Seen(write(tmp_path / "e.csv", csv_of(*ROWS))), RememberingLog()

    sent = send(seen.baskets, seen.digest, log, Pace(AT_ONCE), {})

    assert sent.published == len(seen.baskets) == len(log.records)
    for store in "012":
        of_store = [it for it in log.messages if it.subject == store]
        assert [it.seq for it in of_store] == list(range(1, len(of_store) + 1))
        assert {it.source for it in of_store} == {f"replay/{seen.digest[:16]}/{store}"}
    assert {(topic, key) for topic, key, _ in log.records} == {("stock", store) for store in "012"}
    assert log.flushed


def test_another_run_sends_the_same_bytes(tmp_path: Path) -> None:
    logs = [RememberingLog(), RememberingLog()]
    for log, name in zip(logs, ["one.csv", "copy.csv.gz"], strict=True):
        seen = Seen(write(tmp_path / name, csv_of(*ROWS)))
        send(seen.baskets, seen.digest, log, Pace(AT_ONCE), {})

    assert logs[0].records == logs[1].records


def test_what_is_in_the_books_is_not_sent_again(tmp_path: Path) -> None:
    seen, whole, rest = Seen(write(tmp_path / "e.csv", csv_of(*ROWS))), RememberingLog(), RememberingLog()
    send(seen.baskets, seen.digest, whole, Pace(AT_ONCE), {})

    sent = send(seen.baskets, seen.digest, rest, Pace(AT_ONCE), {"0": 3, "1": 10_000})

    assert rest.records == [
        record
        for record, it in zip(whole.records, whole.messages, strict=True)
        if it.subject == "2" or (it.subject == "0" and it.seq > 3)  # type: ignore[operator]
    ]
    assert sent.known + sent.published == len(seen.baskets)


def test_the_first_refusal_of_the_log_ends_the_sending(tmp_path: Path) -> None:
    seen, log = Seen(write(tmp_path / "e.csv", csv_of(*ROWS))), RememberingLog(refuses_from=5)

    with pytest.raises(OSError, match="the disk is full"):
        send(seen.baskets, seen.digest, log, Pace(AT_ONCE), {})

    assert len(log.records) == 5


def test_time_passes_at_the_multiple_asked_for(tmp_path: Path) -> None:
    seen, clock = Seen(write(tmp_path / "e.csv", csv_of(*ROWS))), FakeClock()

    send(seen.baskets, seen.digest, RememberingLog(), Pace(60.0, clock), {})

    assert clock.now == pytest.approx(100.0 + 9 * 60 / 60.0)  # nine minutes of the file at sixty times real time


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.services.replay.exports import Seen\n"
        "from bopis.services.replay import staging\n"
        "from bopis.tables.source import TableFile\n"
        "from bopis.services.replay.intake import IntakeOptions, RejectedRows, read_export\n"
        "from bopis.services.replay.times import TimeReader\n"
        "with staging.Staging() as staged:\n"
        "    reading = IntakeOptions(named_columns={}, times=TimeReader(None, None, {}))\n"
        "    rejects = RejectedRows(None, print)\n"
        "    read_export(TableFile(sys.argv[1], 'utf-8'), reading, staged, rejects, lambda _: None)\n"
        "    count = sum(1 for _ in staged.baskets())\n"
        # Not ru_maxrss: it begins with what the process that started this one had.
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(count, int(status['VmHWM'].split()[0]) // 1024)\n"
    )
    large = tmp_path / "large.csv"
    with large.open("w") as file:
        file.write(csv_of())
        for i in range(200_000):
            file.write(f"{i % 50},{i // 4},sku{i % 999},1,{i},2024-05-{i % 28 + 1:02}T10:00:00Z\n")

    done = subprocess.run([sys.executable, "-c", script, str(large)], capture_output=True, text=True, check=True)

    baskets, resident_mib = map(int, done.stdout.split())
    assert baskets == 200_000
    assert resident_mib < 160
