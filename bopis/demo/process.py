"""The programs of the product on the demonstration's clock: `python -m bopis.demo.process CLOCK_FILE PROGRAM ...`.

PROGRAM is `broker`, with the arguments of `python -m bopis.broker`, `up` or `worker`, with those of
`python -m streams`, `gateway`, with the address of its callbacks, `listener`, with its port, or `web`, which serves the
pages. The parts are the product's own; only the clock that is handed to them differs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bopis.demo.clock import OffsetClock

BROKER, GATEWAY, LISTENER, WEB = "broker", "gateway", "listener", "web"
ARGUMENTS_MIN = 2


def program(clock_file: Path) -> tuple[str, str]:
    """The module, and its first argument, that runs the product's programs on this clock."""
    return ("bopis.demo.process", str(clock_file))


def main(arguments: Sequence[str]) -> int:
    """Compose and run one program; returns the exit code of the process."""
    if len(arguments) < ARGUMENTS_MIN:
        print(__doc__, file=sys.stderr)
        return 2
    clock_file, *rest = arguments
    clock = OffsetClock(Path(clock_file))
    # Each program loads what it needs and nothing else: the log no Faust, the demonstration itself neither.
    if rest[0] == BROKER:
        from bopis.broker.main import main as run_broker

        return run_broker(rest[1:], clock.now_ms)
    if rest[0] in (GATEWAY, LISTENER):
        from bopis.demo.gateway import run_gateway, run_listener

        return (run_gateway if rest[0] == GATEWAY else run_listener)(clock, *rest[1:])
    if rest[0] == WEB:
        from bopis.cli.app.context import CommandContext
        from bopis.web.serve import serve

        serve(CommandContext().settings, lambda url, _: print(url, flush=True), clock.now_ms)
        return 0
    from streams.__main__ import Programs
    from streams.__main__ import main as run_streams

    this = (sys.executable, "-m", *program(Path(clock_file)))
    return run_streams(rest, Programs((*this, "worker"), (*this, BROKER), clock.now_ms))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
