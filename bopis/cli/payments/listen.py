"""`bopis payments listen`: receives the gateways' callbacks."""

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from bopis.adapters.errors import AccessDenied
from bopis.adapters.gateways.errors import GatewayUnknown
from bopis.adapters.gateways.installed import installed_gateways
from bopis.adapters.gateways.listener import listen as serve
from bopis.adapters.gateways.registry import IN_STORE, Gateways
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import PortTaken, Unavailable
from bopis.names import DEAD_LETTERS_TOPIC, PAYMENTS_TOPIC
from bopis.ports import Gateway
from bopis.services.payments.book import AttemptName, PaymentBook
from bopis.services.payments.callbacks import CallbackIntake, CallbackResult


def listen(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="PORT", help="Port; 0 takes a free one.")] = 8090,
    as_json: AsJson = False,
) -> None:
    """Receive the gateways' callbacks over HTTP until Ctrl-C: POST /payments/GATEWAY, checked by signature.

    A callback is answered as taken after the log has it. One with a wrong or old signature is refused; one that names
    no order of ours becomes a dead letter. Put a server that ends TLS before it, and set the same secret at the
    gateway and in payment_webhook_secret_file or stripe_webhook_secret_file.

    Examples:
        bopis payments listen
        bopis payments listen --host 0.0.0.0 --port 8090 --json
    """
    receive(open_context(context, as_json), host, port, lambda: datetime.now(UTC))


def receive(ctx: CommandContext, host: str, port: int, now: Callable[[], datetime]) -> None:
    """Receive callbacks until SIGTERM or SIGINT; ``now`` tells how old their signatures are."""
    gateways = installed_gateways(ctx.settings)
    if gateways.names == (IN_STORE,):
        raise Unavailable(what="A gateway", next="Set payment_gateway and its address; see `bopis config show`.")
    try:
        with ctx.reader() as reader, ctx.publisher() as publisher:
            ctx.require_topics(reader, PAYMENTS_TOPIC, DEAD_LETTERS_TOPIC)
            find = AttemptFinder(PaymentBook(reader))
            intake = CallbackIntake(lambda name: _named(gateways, name), publisher, now, find)

            def take(name: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
                # Without a name the first gateway is meant; its callbacks have one id under both addresses.
                return intake.take(name or gateways.names[0], headers, body)

            serve(take, host, port, lambda url: _print_ready(ctx, url, gateways))
    except OSError as error:
        raise PortTaken(port=port, cause=error.strerror or error) from error
    finally:
        asyncio.run(gateways.close())


class AttemptFinder:
    """Finds attempts by their gateway's reference, for reports that name no order. Callbacks come in several threads,
    and the log reader serves one at a time."""

    def __init__(self, book: PaymentBook) -> None:
        self._book = book
        self._reading = threading.Lock()

    def __call__(self, gateway: str, reference: str) -> AttemptName | None:
        """The attempt; None when there is none, or without the right to read the payments' state."""
        with self._reading:
            try:
                self._book.refresh()
            except AccessDenied:
                return None
            return self._book.attempt_of(gateway, reference)


def _named(gateways: Gateways, name: str) -> Gateway | None:
    try:
        return gateways.named(name)
    except GatewayUnknown:
        return None


def _print_ready(ctx: CommandContext, url: str, gateways: Gateways) -> None:
    """Print the line that says that it listens; whoever started it may be waiting for it in a pipe."""
    names = [name for name in gateways.names if name != IN_STORE]
    document = {"url": url, "gateways": names}
    text = f"Callbacks are received on {url}/{names[0]}. Ctrl-C stops it."
    ctx.print_result(document, lambda out: out.print(text, soft_wrap=True, highlight=False, markup=False))
    sys.stdout.flush()
