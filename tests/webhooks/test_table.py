"""The table of webhooks: what a worker and the API store in it, on SQLite."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bopis.adapters.webhooks.errors import WebhookDatabaseShared, WebhooksUnavailable
from bopis.adapters.webhooks.table import FILE_NAME, DeliveryPage, WebhookTable, webhooks_url
from bopis.settings import Settings
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import EventDelivery, EventDeliveryState, EventSubscription, SubscriptionState, resumed
from bopis.webhooks.schedule import ORDERED_TRIES, AttemptResult, Spread, settle

SUBSCRIPTION = EventSubscription(
    id="wh_1", owner="shop", url="https://a.example/", types=(EventType.ORDER_READY, EventType.ORDER_PLACED),
    stores=("319",), description="d", created_ms=5, since_ms=4, secret=b"sealed",
)  # fmt: skip
SPREAD = Spread(chance=0.5, disable_days=5)
FAILED, DELIVERED = AttemptResult(status_code=500), AttemptResult(status_code=200)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[WebhookTable]:
    with closing(WebhookTable(f"sqlite:///{tmp_path / 'webhooks.sqlite3'}")) as table:
        table.add(SUBSCRIPTION)
        yield table


def delivery(number: int, subject: str = "N6PV", **changes: object) -> EventDelivery:
    made = EventDelivery(
        id=f"msg_{number}", subscription="wh_1", type=EventType.ORDER_READY, subject=subject, store="319",
        body=b"{}", recorded_ms=number, next_ms=number,
    )  # fmt: skip
    return replace(made, **changes)


def due(table: WebhookTable, now_ms: int = 1_000, limit: int = 10, running: tuple[str, ...] = ()) -> list[str]:
    return [it.id for it in table.due("wh_1", now_ms, limit, running)]


def test_a_subscription_comes_back_as_it_was_stored(table: WebhookTable) -> None:
    other = replace(SUBSCRIPTION, id="wh_2", owner="other", created_ms=6, old_secret=b"x", old_secret_until_ms=9)
    table.add(other)

    assert table.subscription("wh_1") == SUBSCRIPTION
    assert table.subscriptions() == [SUBSCRIPTION, other]
    assert table.subscriptions("other") == [other]
    assert table.subscription("wh_3") is None


def test_a_change_of_some_fields_leaves_the_others_alone(table: WebhookTable) -> None:
    table.change(replace(SUBSCRIPTION, url="https://b.example/", owner="nobody"), "url")

    assert table.subscription("wh_1") == replace(SUBSCRIPTION, url="https://b.example/")


def test_a_deleted_subscription_takes_its_deliveries_with_it(table: WebhookTable) -> None:
    table.take([delivery(1)], {})

    assert (table.delete("wh_1"), table.delete("wh_1")) == (True, False)
    assert table.deliveries(DeliveryPage("wh_1", 10)) == []


def test_events_that_are_read_again_change_nothing(table: WebhookTable) -> None:
    table.take([delivery(1), delivery(2)], {("t", 0): 2, ("t", 1): 1})
    table.settle(settle(delivery(1), SUBSCRIPTION, DELIVERED, 10, SPREAD), SUBSCRIPTION)

    table.take([delivery(1), delivery(2), delivery(3)], {("t", 0): 3})

    states = [(it.id, it.state.value, it.attempts) for it in table.deliveries(DeliveryPage("wh_1", 10))]
    assert states == [("msg_3", "pending", 0), ("msg_2", "pending", 0), ("msg_1", "delivered", 1)]
    assert table.positions() == {("t", 0): 3, ("t", 1): 1}


def test_deliveries_of_a_subject_go_one_after_the_other(table: WebhookTable) -> None:
    table.take([delivery(1), delivery(2), delivery(3, "OTHER")], {})

    assert due(table) == ["msg_1", "msg_3"]
    assert due(table, running=("msg_1",)) == ["msg_3"]
    assert due(table, limit=1) == ["msg_1"]
    assert due(table, now_ms=0) == []
    table.settle(settle(delivery(1), SUBSCRIPTION, DELIVERED, 10, SPREAD), SUBSCRIPTION)
    assert due(table) == ["msg_2", "msg_3"]


def test_events_of_one_millisecond_keep_the_order_of_the_log(table: WebhookTable) -> None:
    table.take([delivery(1, recorded_ms=7, place=9), delivery(2, recorded_ms=7, place=8)], {})

    assert due(table) == ["msg_2"]


def test_a_later_event_waits_for_some_attempts_of_an_earlier_one_and_then_goes_before_it(table: WebhookTable) -> None:
    first = delivery(1)
    table.take([first, delivery(2)], {})

    for tries in range(1, ORDERED_TRIES + 1):
        assert due(table)[-1:] != ["msg_2"]
        settled = settle(first, SUBSCRIPTION, FAILED, 10, SPREAD)
        first = settled.delivery
        table.settle(settled, SUBSCRIPTION)
        assert first.tries == tries

    assert due(table) == ["msg_2"]
    assert table.soonest("wh_1", 1_000) == first.next_ms


def test_an_attempt_that_ends_a_subscription_disables_it_unless_somebody_paused_it(table: WebhookTable) -> None:
    table.take([delivery(1)], {})
    ended = settle(delivery(1), SUBSCRIPTION, AttemptResult(status_code=410), 10, SPREAD)

    table.change(replace(SUBSCRIPTION, state=SubscriptionState.PAUSED), "state")
    table.settle(ended, SUBSCRIPTION)
    paused = table.subscription("wh_1")
    table.change(SUBSCRIPTION, "state")
    table.settle(ended, SUBSCRIPTION)
    disabled = table.subscription("wh_1")

    assert paused is not None
    assert paused.state is SubscriptionState.PAUSED
    assert disabled is not None
    assert (disabled.state, "410" in disabled.reason) == ("disabled", True)
    again = resumed(disabled, disabled, 99)
    assert (again.state, again.reason, again.failing_since_ms, again.since_ms) == ("active", "", 0, 99)


def test_a_delivery_is_resent_by_the_whole_schedule(table: WebhookTable) -> None:
    done = settle(delivery(1), SUBSCRIPTION, AttemptResult(status_code=410), 10, SPREAD)
    table.take([delivery(1)], {})
    table.settle(done, SUBSCRIPTION)

    table.resend(done.delivery, 500)

    again = table.delivery("wh_1", "msg_1")
    assert again is not None
    assert (again.state, again.tries, again.attempts, again.next_ms) == ("pending", 0, 1, 500)
    assert due(table) == ["msg_1"]


def test_pages_go_back_in_time_and_miss_nothing(table: WebhookTable) -> None:
    rows = [delivery(number, recorded_ms=number // 3) for number in range(1, 10)]
    table.take(rows, {})

    found, after = [], None
    while page := table.deliveries(DeliveryPage("wh_1", 2, None, after)):
        found += page
        after = (page[-1].recorded_ms, page[-1].id)

    assert found == sorted(rows, key=lambda it: (it.recorded_ms, it.id), reverse=True)
    assert table.deliveries(DeliveryPage("wh_1", 9, EventDeliveryState.FAILED)) == []


def test_old_deliveries_are_forgotten(table: WebhookTable) -> None:
    table.take([delivery(number) for number in range(1, 6)], {})

    assert (table.forget(4), table.forget(4)) == (3, 0)
    assert {it.id for it in table.deliveries(DeliveryPage("wh_1", 10))} == {"msg_4", "msg_5"}


def test_the_database_is_that_of_the_setting_the_keys_or_a_file_of_its_own(tmp_path: Path) -> None:
    keys, file = "postgresql://h/keys", f"sqlite:///{tmp_path / 'safe' / 'k.sqlite3'}"

    assert webhooks_url(Settings(data_dir=tmp_path)) == f"sqlite:///{tmp_path / FILE_NAME}"
    assert webhooks_url(Settings(data_dir=tmp_path, keys_database=keys)) == keys
    assert webhooks_url(Settings(data_dir=tmp_path, keys_database=keys, webhook_database="sqlite:///x")) == (
        "sqlite:///x"
    )
    # Not in the file of the keys: it has no write-ahead log, so that deleted keys are gone.
    beside = f"sqlite:///{tmp_path / 'safe' / FILE_NAME}"
    assert webhooks_url(Settings(data_dir=tmp_path, keys_database=file)) == beside
    with pytest.raises(WebhookDatabaseShared):
        webhooks_url(Settings(data_dir=tmp_path, keys_database=file, webhook_database=file))
    with pytest.raises(WebhooksUnavailable):
        webhooks_url(Settings(data_dir=tmp_path, webhook_database="nonsense"))


@pytest.mark.parametrize("url", ["nonsense", "strange://h/x", "sqlite:////proc/none/x.sqlite3"])
def test_a_database_that_cannot_be_used_is_an_error_with_a_remedy(url: str) -> None:
    with pytest.raises(WebhooksUnavailable, match="webhook_database"):
        WebhookTable(url)
