"""The fake gateway of the demonstration and the receiver of its callbacks: two processes that go by its clock.

They are the product's own (`bopis gateway fake`, `bopis payments listen`), started here with the settings of the
demonstration. The gateway keeps its ledger in a file of the data directory.
"""

import os
import secrets
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bopis.adapters.supervision import end_with_parent
from bopis.cli.app.context import CommandContext
from bopis.demo.clock import OffsetClock, instant

LEDGER_FILE = "demo-gateway.jsonl"
SECRET_FILE, NO_SECRET_FILE = "demo-webhook-secret", "demo-no-secret"
HOST = "127.0.0.1"
SECRET_BYTES = 24
STOP_SECONDS_MAX = 10.0
# Milliseconds, and shares of the callbacks.
LATENCY_MS, LATE_MS = 20, 400
DUPLICATE, LATE, REORDERED = 0.1, 0.1, 0.1


def payment_settings(data_dir: Path) -> dict[str, object]:
    """Settings under which all payments go to a gateway of this data directory, whatever is configured."""
    secret, no_secret = (data_dir.resolve() / name for name in (SECRET_FILE, NO_SECRET_FILE))
    secret.write_text(f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}")
    no_secret.write_text("")
    return {
        "payment_gateway": "fake",
        "payment_gateway_url": f"http://{HOST}:{free_port()}",
        "payment_webhook_secret_file": secret,
        "stripe_key_file": no_secret,
        "stripe_webhook_secret_file": no_secret,
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    ctx: CommandContext, program: Sequence[str], name: str, *arguments: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of them beside what follows, and give its process; `program` is the demonstration's module with its
    clock."""
    environment = os.environ | {f"BOPIS_{setting.upper()}": str(it) for setting, it in ctx.flags.items()}
    with (ctx.settings.data_dir / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, name, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the demonstration, which ends it in its own time
            preexec_fn=end_with_parent(),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_gateway(clock: OffsetClock, callback_url: str) -> int:
    """Serve the fake gateway under its URL in the settings, until SIGTERM."""
    from bopis.adapters.gateways.fake_script import FakeOptions
    from bopis.adapters.gateways.fake_server import CallbackTarget, FakeServer, serve

    settings = CommandContext().settings
    options = FakeOptions(
        latency_ms=LATENCY_MS,
        late_ms=LATE_MS,
        duplicate_callbacks=DUPLICATE,
        late_callbacks=LATE,
        reorder_callbacks=REORDERED,
    )
    secret = (settings.payment_webhook_secret_file or Path(os.devnull)).read_text()
    target = CallbackTarget(url=callback_url, secret=secret)
    server = FakeServer(options, settings.data_dir / LEDGER_FILE, target, clock.now_ms)
    serve(server, HOST, urlsplit(settings.payment_gateway_url).port or 0, print)
    return 0


def run_listener(clock: OffsetClock, port: str) -> int:
    """Receive the gateway's callbacks on a port, until SIGTERM."""
    from bopis.cli.payments.listen import receive

    # A signature is as old as the clock tells on which the gateway made it.
    receive(CommandContext(), HOST, int(port), lambda: instant(clock.now_ms()))
    return 0
