"""Key figures over a small history whose answers are worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.vocabulary import RejectReason
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from bopis.quantiles import quantile
from bopis.readside.kpi.catalogue import DEFINITIONS, VISIT_KPIS
from bopis.readside.kpi.definitions import Silent, data_age
from bopis.readside.queries.kpi import KpiGroup, KpiGrouping, KpiSpan, kpis
from bopis.readside.writer import Batch, Projection
from tests.domain.books import NOON_MS
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, number
from tests.readside.orderlog import OrderLog
from tests.readside.world import Record


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _asked(engine: Engine, by: KpiGrouping = KpiGrouping.ALL, **named: Any) -> list[KpiGroup]:
    span = KpiSpan(**{"since": _at(NOON_MS - DAY_MS), "until": _at(NOON_MS + 30 * DAY_MS), **named})
    return kpis(engine, span, by, lambda _store, begin, end: (end - begin) // 2)


def _pick(log: OrderLog, n: int, picked: int, missing: int = 0) -> None:
    log.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=picked, missing=missing),)), number(n))


def _history() -> OrderLog:
    """Five orders of two units: collected, late, short, not collected, turned down by its store."""
    log = OrderLog(stock={S1: {"A": 20}, S2: {"A": 20}})
    for n in range(1, 6):
        log.place(n, lines=(("A", 2),))
    log.now_ms += 5 * MINUTE_MS
    for n in (1, 2, 3, 4):
        log.tell(m.AcceptPick(store=S1), number(n))
    log.tell(m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY), number(5))
    log.now_ms += 55 * MINUTE_MS
    for n in (1, 4):  # an hour after they were placed
        _pick(log, n, 2)
        log.tell(m.StageOrder(store=S1, location="R1"), number(n))
    _pick(log, 3, 1, 1)
    log.now_ms += 3 * HOUR_MS
    _pick(log, 2, 2)  # four hours after, promised were two
    log.tell(m.StageOrder(store=S1, location="R2"), number(2))
    log.tell(m.CustomerArrived(store=S1), number(1))
    log.now_ms += 4 * MINUTE_MS
    log.tell(recipes.BY_CODE, number(1))
    log.wait(6 * DAY_MS)
    return log


def test_the_figures_of_a_small_history_are_those_worked_out_by_hand(engine: Engine) -> None:
    log = _history()
    log.project(engine)

    groups = {it.name: it for it in _asked(engine, KpiGrouping.STORE)}

    here = groups[S1].kpis
    assert groups[S1].visits == 5
    assert here["time_to_ready"] == {
        "ready": 3, "not_ready": 2, "p50_minutes": 60.0, "p90_minutes": 240.0, "p50_open_minutes": 30.0,
        "p90_open_minutes": 120.0, "within_promise": 0.6667,
    }  # fmt: skip
    assert here["accept_time"] == {"accepted": 4, "p50_minutes": 5.0, "p90_minutes": 5.0, "in_time": 1.0}
    assert here["first_time_pick"] == {"picked": 4, "rate": 0.75}
    assert here["short_pick"] == {"units": 8, "by_pick": 0.125, "by_till": 0.0, "by_staging": 0.0}
    assert here["ready_accuracy"] == {"ready": 3, "rate": 1.0}
    assert here["customer_wait"] == {"served": 1, "p50_minutes": 4.0, "p90_minutes": 4.0}
    assert here["no_show"] == {"ended": 3, "rate": 0.6667}
    assert here["reroute"] == {"promised": 5, "rate": 0.2}
    assert here["oversell"] == {"conflicts": 1, "found_before": 1, "found_before_rate": 1.0}
    assert here["inventory_trust"] == {"units": 8, "rate": 0.875}
    assert here["dwell"]["ended"] == 3
    assert here["dwell"]["p50_minutes"] is not None
    assert groups[S2].kpis["reroute"]["promised"] == 2


def test_a_conflict_that_the_customer_met_at_the_counter_was_not_found_before(engine: Engine) -> None:
    log = OrderLog()
    log.place(lines=(("A", 2),))
    log.tell(m.AcceptPick(store=S1))
    log.tell(m.CustomerArrived(store=S1))
    log.now_ms += MINUTE_MS
    log.tell(recipes.PICK_NONE)
    log.project(engine)

    (group,) = _asked(engine)

    assert group.kpis["oversell"] == {"conflicts": 1, "found_before": 0, "found_before_rate": 0.0}


def test_a_day_is_a_day_of_the_store(engine: Engine) -> None:
    log = OrderLog()
    log.now_ms = NOON_MS + 17 * HOUR_MS  # one o'clock at night in UTC, evening of the day before in Denver
    log.place()
    log.project(engine)
    store = {"store_id": S1, "name": "One", "time_zone": "America/Denver"}

    (utc,) = _asked(engine, KpiGrouping.DAY)
    Projection(engine).write_many([Batch("stores", 0, [Record(0, 0, S1.encode(), msgspec.json.encode(store))])])
    (denver,) = _asked(engine, KpiGrouping.DAY)

    assert utc.name == _at(log.now_ms).date().isoformat()
    assert denver.name == (_at(log.now_ms).date() - timedelta(days=1)).isoformat()


def test_a_span_takes_orders_by_when_they_were_promised_and_nothing_is_figures_of_nothing(engine: Engine) -> None:
    log = _history()
    log.project(engine)

    (later,) = _asked(engine, since=_at(NOON_MS + 10 * MINUTE_MS))
    (other,) = _asked(engine, store=S2)

    assert later.visits <= 1
    assert other.visits == 2
    (nothing,) = _asked(engine, since=_at(NOON_MS + 20 * DAY_MS))
    assert nothing.visits == 0
    assert nothing.kpis["no_show"] == {"ended": 0, "rate": None}


def test_every_figure_has_a_definition_with_words_for_each_of_its_values(engine: Engine) -> None:
    _history().project(engine)

    (group,) = _asked(engine)

    assert set(group.kpis) == set(DEFINITIONS) == {*(kpi.definition.name for kpi in VISIT_KPIS), "data_age"}
    for name, figures in group.kpis.items():
        assert set(figures) == set(DEFINITIONS[name].figures), name
        assert DEFINITIONS[name].version >= 1


@pytest.mark.parametrize(("share", "value"), [(0.5, 20), (0.9, 40), (0.25, 10), (0.26, 20)])
def test_a_quantile_is_a_value_that_occurred(share: float, value: int) -> None:
    assert quantile([40, 10, 30, 20], share) == value
    assert quantile([], share) is None


def test_the_age_of_news_is_that_which_a_twentieth_of_the_time_exceeded() -> None:
    day = [Silent(S1, 0, 20 * MINUTE_MS, 0)]  # one store of ten was silent for 20 of 100 minutes

    two_in_a_hundred = data_age(day, 10, 0, 100 * MINUTE_MS)
    alone = data_age(day, 1, 0, 100 * MINUTE_MS)
    before = data_age(day, 1, 30 * MINUTE_MS, 100 * MINUTE_MS)

    assert two_in_a_hundred == {"stores": 10, "fresh": 0.98, "p95_minutes": None}
    assert alone == {"stores": 1, "fresh": 0.8, "p95_minutes": 15.0}
    assert before == {"stores": 1, "fresh": 1.0, "p95_minutes": None}
