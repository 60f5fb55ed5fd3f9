"""The account of the pickup orders by the read side and the outbox."""

import time

from sqlalchemy import Engine

from bopis.adapters.notices.folders import FOLDER
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Unavailable
from bopis.demo.tally import OPEN, NoticeKey, PickupAccount, PickupOutcome
from bopis.domain.notices.vocabulary import DeliveryState
from bopis.names import NOTICE_STATE_TOPIC, ORDER_EVENTS_TOPIC, ORDER_STATE_TOPIC, ORDERS_TOPIC
from bopis.readside import queries

FEEDS = (ORDERS_TOPIC, ORDER_STATE_TOPIC, ORDER_EVENTS_TOPIC, NOTICE_STATE_TOPIC)
ANSWERED = (DeliveryState.SENT.value, DeliveryState.WITHDRAWN.value)
NOTICES_MAX = 1_000_000
POLL_SECONDS = 0.1
NOTICES_SECONDS_MAX = 120.0


def wait_for_notices(ctx: CommandContext, engine: Engine) -> None:
    """Wait until the read side has every record of the orders and no notice is due. Raises `Unavailable`."""
    give_up = time.monotonic() + NOTICES_SECONDS_MAX
    with ctx.reader() as reader:
        while True:
            ends = reader.end_offsets(FEEDS)
            read = {(it.topic, it.partition): it.position + 1 for it in queries.positions(engine)}
            if all(read.get(place, 0) >= end for place, end in ends.items()) and not _open_notices(engine):
                return
            if time.monotonic() > give_up:
                raise Unavailable(what="The last notice", next="Look into engine.log in the data directory.")
            time.sleep(POLL_SECONDS)


def account_of_readside(engine: Engine) -> PickupAccount:
    """The outcome of every order, and every notice, as SQL has them."""
    notices = queries.newest_notices(engine, None, NOTICES_MAX)
    return PickupAccount(
        outcomes={
            it.order: PickupOutcome(it.state, it.placed_ms, it.ready_ms, it.ready_by_ms)
            for it in queries.order_outcomes(engine)
        },
        notices=frozenset(NoticeKey(it.order, it.milestone, it.version) for it in notices),
        mails=sum(it.state == DeliveryState.SENT.value for it in notices),
        unsent=sum(it.state not in ANSWERED for it in notices),
    )


def mails_in_outbox(ctx: CommandContext) -> int:
    """The number of mails in the outbox of the data directory."""
    return sum(1 for _ in (ctx.settings.data_dir / FOLDER).rglob("*.eml"))


def _open_notices(engine: Engine) -> bool:
    return any(queries.newest_notices(engine, state.value, 1) for state in sorted(OPEN))
