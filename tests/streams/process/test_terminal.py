"""What `bopis up` prints on a terminal."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

from bopis.adapters.supervision import ChildStatus
from streams.process.supervisor import ChildState
from streams.process.terminal import TerminalReport


def test_one_line_for_each_process_and_change() -> None:
    out = StringIO()
    report = TerminalReport(out, Path("/data/up.log"))
    report.begin()

    for name, state, more in (
        ("broker", ChildState.STARTING, {}),
        ("broker", ChildState.READY, {}),
        ("notifier", ChildState.STARTING, {}),
        ("notifier", ChildState.GAVE_UP, {"cause": "configuration", "last_error": "No master key"}),
        ("inventory", ChildState.READY, {}),
        ("inventory", ChildState.BACKING_OFF, {"cause": "ended by signal SIGKILL", "restarts": 1}),
        ("inventory", ChildState.STARTING, {"restarts": 1}),
        ("inventory", ChildState.READY, {"restarts": 1}),
    ):
        report.changed(ChildStatus(name=name, state=state, **more))  # type: ignore[arg-type]

    assert out.getvalue().splitlines() == [
        "Starting; details are in /data/up.log",
        "  log is ready (0.0 s)",
        "  notifier does not run: configuration: No master key",
        "  inventory is ready (0.0 s)",
        "  inventory ended (ended by signal SIGKILL); it is started again",
        "  inventory is ready again (0.0 s)",
    ]


def test_what_libraries_print_goes_to_the_log_file(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom streams.process.terminal import errors_to\n"
        f"with errors_to(Path({str(tmp_path / 'up.log')!r})):\n"
        "    print('from a library', file=sys.stderr)\n    os.system('echo from a child >&2')\n"
        "print('after', file=sys.stderr)\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=os.getcwd())

    assert (tmp_path / "up.log").read_text() == "from a library\nfrom a child\n"
    assert ended.stderr == "after\n"
