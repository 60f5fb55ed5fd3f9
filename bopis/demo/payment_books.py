"""Waits until the gateway has answered everything, and reads both sides of the payments."""

import asyncio
import time

from bopis.adapters.gateways.installed import installed_gateways
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Unavailable
from bopis.demo.customers import is_under_way
from bopis.demo.gateway import LEDGER_FILE
from bopis.demo.gateway_ledger import GatewayLedger
from bopis.demo.payment_figures import EQUAL, PaymentFigures, paid_figures
from bopis.demo.tally import Tally
from bopis.domain.payments.reconcile import Comparison
from bopis.services.payments.book import PaymentBook
from bopis.services.payments.reconciliation import GatewayList, difference_text, reconcile

POLL_SECONDS = 0.1
REST_SECONDS_MAX = 60.0
NAME = "fake"


def wait_for_payments(ctx: CommandContext) -> None:
    """Wait until every answer and every callback of the gateway has been taken. Raises `Unavailable`."""
    give_up = time.monotonic() + REST_SECONDS_MAX
    with ctx.reader() as reader:
        book = PaymentBook(reader)
        while True:
            book.refresh()
            if _ledger(ctx).is_told and not any(is_under_way(it) for it in book.all()):
                return
            if time.monotonic() > give_up:
                raise Unavailable(what="The last answer of the gateway", next="Look into gateway.log and listener.log.")
            time.sleep(POLL_SECONDS)


def figures_of_payments(ctx: CommandContext, tally: Tally, since_ms: int, now_ms: int) -> PaymentFigures:
    """The figures of the payments, once everything is quiet."""
    with ctx.reader() as reader:
        book = PaymentBook(reader)
        compared = asyncio.run(_compared(ctx, book, since_ms, now_ms))
        payments = {it.order: it for it in book.all()}
    return paid_figures(tally, payments, _ledger(ctx), _result(compared))


def _ledger(ctx: CommandContext) -> GatewayLedger:
    return GatewayLedger(ctx.settings.data_dir / LEDGER_FILE)


async def _compared(ctx: CommandContext, book: PaymentBook, since_ms: int, now_ms: int) -> Comparison:
    """The product's own comparison, as `bopis payments reconcile` makes it."""
    gateways = installed_gateways(ctx.settings)
    try:
        listed = GatewayList(NAME, frozenset({NAME, ""}), gateways.named(NAME))
        return await reconcile(book, listed, since_ms, now_ms)
    finally:
        await gateways.close()


def _result(it: Comparison) -> str:
    if it.differences:
        first = it.differences[0]
        return f"{len(it.differences)} differences, first order {first.order}: {difference_text(first)}"
    return f"{it.in_flight} in flight" if it.in_flight else EQUAL
