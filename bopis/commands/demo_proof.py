"""What the read side and the outbox tell of the demonstration's pickup orders."""

import time

from sqlalchemy import Engine, func, select

from bopis.adapters.notices.folders import FOLDER
from bopis.commands.errors import Unavailable
from bopis.commands.shell import Shell
from bopis.domain.notices.terms import DeliveryState
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.kpi.visits import visits
from bopis.readside.orders.tables import order_notices, orders
from bopis.services.demo.tally import Fate, Told

FEEDS = ("orders", "order-state", "order-events", "notice-state")
OPEN = (DeliveryState.DUE.value, DeliveryState.WAITING.value)
TOLD = (DeliveryState.SENT.value, DeliveryState.WITHDRAWN.value)
LOOK_SECONDS = 0.1
TOLD_SECONDS_MAX = 120.0
ALL_TIME_MS = 1 << 60


def wait_until_told(shell: Shell, engine: Engine) -> None:
    """Wait until customers were told everything and all of it can be read. Raises `Unavailable`."""
    give_up = time.monotonic() + TOLD_SECONDS_MAX
    with shell.reader() as reader:
        while True:
            ends = reader.end_offsets(FEEDS)
            read = {(it.topic, it.partition): it.position + 1 for it in queries.positions(engine)}
            if all(read.get(where, 0) >= end for where, end in ends.items()) and not _open_notices(engine):
                return
            if time.monotonic() > give_up:
                raise Unavailable(what="The last notice", next="Look into engine.log in the data directory.")
            time.sleep(LOOK_SECONDS)


def told_by_readside(engine: Engine) -> Told:
    """Every order's fate, and every notice, as SQL has them."""
    with reading(engine) as connection:
        states = {row.order_id: row for row in connection.execute(select(orders))}
        went = {it.order: it for it in visits(connection, 0, ALL_TIME_MS)}
        notices = connection.execute(select(order_notices)).all()
    fates = {}
    for order, row in states.items():
        visit = went.get(order)
        if visit is None:
            fates[order] = Fate(row.state, row.placed_ms)
        else:
            fates[order] = Fate(row.state, visit.placed_ms, visit.ready_ms, visit.ready_by_ms)
    return Told(
        fates=fates,
        notices=frozenset((it.order_id, it.milestone, it.version) for it in notices),
        mails=sum(it.state == DeliveryState.SENT.value for it in notices),
        unsent=sum(it.state not in TOLD for it in notices),
    )


def mails_in_outbox(shell: Shell) -> int:
    """How many mails lie in the outbox of the data directory."""
    return sum(1 for _ in (shell.settings.data_dir / FOLDER).rglob("*.eml"))


def _open_notices(engine: Engine) -> int:
    query = select(func.count()).select_from(order_notices).where(order_notices.c.state.in_(OPEN))
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())
