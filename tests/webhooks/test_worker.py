"""The worker over a real log, with a receiver that fails, is slow, redirects, or is gone; and killed under load."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import groupby

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook as Standard

from bopis.readside.engine import connect
from bopis.readside.migrate import upgrade
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import SubscriptionState, delivery_of_test
from tests.engines import Engines, chosen
from tests.webhooks.conftest import ReceiverProcess, eventually
from tests.webhooks.world import WebhookWorld, cancelled, new_order, ready


@pytest.fixture(scope="module", params=chosen()[:1])
def world(
    request: pytest.FixtureRequest,
    engines: Engines,
    tmp_path_factory: pytest.TempPathFactory,
    receiver: ReceiverProcess,
) -> Iterator[WebhookWorld]:
    """One worker for the file; each test has subscriptions, paths and orders of its own."""
    found = WebhookWorld(engines.shared(request.param), tmp_path_factory.mktemp("webhooks"), receiver)
    yield found
    found.close()


def test_an_event_arrives_signed_once_and_nothing_before_the_subscription_does(world: WebhookWorld) -> None:
    early, order = new_order(), new_order()
    world.emit((early, ready()))
    time.sleep(1.1)  # Longer than clocks may be apart.
    secret, subscription = world.subscribe("/ok/signed")

    world.emit((order, ready()), (order, cancelled()))
    eventually(lambda: world.states(subscription) == ["delivered"])

    [got] = world.receiver.got("/ok/signed")
    headers = {f"webhook-{name}": got[name] for name in ("id", "timestamp", "signature")}
    document = Standard(secret).verify(got["body"], headers)
    assert document["type"] == "order.ready"
    assert document["data"] == {"order": order, "store": "319", "lines": [1], "window_end": "1970-01-01T00:00:05Z"}
    [row] = world.rows(subscription)
    assert (row.id, row.status_code, row.attempts, row.next_ms) == (got["id"], 200, 1, 0)


def test_a_failed_attempt_is_repeated_under_the_same_id_and_later_events_wait_for_it(world: WebhookWorld) -> None:
    _, subscription = world.subscribe("/first/500/order", EventType.ORDER_READY, EventType.ORDER_CANCELLED)
    order, other = new_order(), new_order()

    world.emit((order, ready()), (order, cancelled()), (other, ready()))
    first = eventually(lambda: [it for it in world.rows(subscription) if it.attempts == 1 and it.next_ms])
    eventually(lambda: all(it.attempts for it in world.rows(subscription) if it.subject == other))
    waiting = [it.attempts for it in world.rows(subscription) if it.type is EventType.ORDER_CANCELLED]
    eventually(lambda: world.hurry(subscription) or set(world.states(subscription)) == {"delivered"})

    assert "the receiver answered 500" in first[0].error
    assert waiting == [0]
    got = world.receiver.got("/first/500/order")
    mine = [it["id"] for it in got if order in it["body"]]
    # Each is sent again under its id, at least once; the second begins when the first is delivered.
    assert [len(list(repeats)) >= 2 for _, repeats in groupby(mine)] == [True, True], mine


def test_a_receiver_that_is_slow_or_dead_hurts_no_other(world: WebhookWorld) -> None:
    _, slow = world.subscribe("/slow/hurts")
    _, dead = world.subscribe("/ok", url="http://127.0.0.1:1/")
    _, healthy = world.subscribe("/ok/healthy")
    count = 40
    began = time.monotonic()

    world.emit(*((new_order(), ready()) for _ in range(count)))
    eventually(lambda: world.states(healthy) == ["delivered"] * count)

    # The slow one has not answered once by then.
    assert time.monotonic() - began < 18
    assert set(world.states(slow)) == set(world.states(dead)) == {"pending"}
    assert {it.attempts for it in world.rows(slow)} == {0}
    assert "the connection failed" in eventually(lambda: [it.error for it in world.rows(dead) if it.attempts])[0]
    for it in (slow, dead):
        world.table.delete(it.id)


def test_410_disables_a_subscription_and_nothing_more_is_recorded_for_it(world: WebhookWorld) -> None:
    _, subscription = world.subscribe("/status/410/gone")

    world.emit((new_order(), ready()))
    eventually(lambda: world.states(subscription) == ["failed"])
    world.emit((new_order(), ready()))
    _, witness = world.subscribe("/ok/witness")
    world.emit((new_order(), ready()))
    eventually(lambda: world.states(witness)[-1:] == ["delivered"])

    found = world.table.subscription(subscription.id)
    assert found is not None
    assert (found.state, "410" in found.reason) == ("disabled", True)
    assert len(world.receiver.got("/status/410/gone")) == len(world.rows(subscription)) == 1
    assert "webhook.disabled" in world.log.read_text()
    # Operators see it in `bopis status` and on the pages.
    issue = eventually(lambda: [it for it in world.issues() if subscription.url in it])[0]
    assert f"bopis webhooks resume {subscription.id}" in issue


def test_429_holds_the_whole_receiver_as_long_as_it_asks(world: WebhookWorld) -> None:
    _, subscription = world.subscribe("/retry-after/600/busy")
    world.emit((new_order(), ready()))
    [first] = eventually(lambda: [it for it in world.rows(subscription) if it.attempts])

    world.emit((new_order(), ready()))
    _, witness = world.subscribe("/ok/witness-429")
    world.emit((new_order(), ready()))
    eventually(lambda: world.states(witness)[-1:] == ["delivered"])

    assert 590_000 < first.next_ms - first.attempted_ms <= 600_000
    assert (first.status_code, len(world.receiver.got("/retry-after/600/busy"))) == (429, 1)
    world.table.delete(subscription.id)


def test_a_redirect_is_a_failure(world: WebhookWorld) -> None:
    _, subscription = world.subscribe("/redirect/one")

    world.emit((new_order(), ready()))
    [row] = eventually(lambda: [it for it in world.rows(subscription) if it.attempts])

    assert (row.status_code, "redirects are not followed" in row.error) == (302, True)
    world.table.delete(subscription.id)


def test_a_paused_subscription_waits_and_a_resent_delivery_leaves_again(world: WebhookWorld) -> None:
    _, subscription = world.subscribe("/ok/paused", state=SubscriptionState.PAUSED)
    order = new_order()
    world.emit((order, ready()))
    eventually(lambda: world.states(subscription) == ["pending"])

    world.table.change(replace(subscription, state=SubscriptionState.ACTIVE), "state")
    eventually(lambda: world.states(subscription) == ["delivered"])
    [row] = world.rows(subscription)
    world.table.resend(row, int(time.time() * 1000))
    eventually(lambda: world.rows(subscription)[0].attempts == 2)

    assert [it["id"] for it in world.receiver.got("/ok/paused")] == [row.id] * 2


def test_both_secrets_sign_during_an_overlap_and_a_test_is_delivered(world: WebhookWorld) -> None:
    old, subscription = world.subscribe("/ok/rotated")
    new = world.rotate(subscription)

    world.table.send(delivery_of_test(subscription.id, int(time.time() * 1000)))
    eventually(lambda: world.states(subscription) == ["delivered"])

    [got] = world.receiver.got("/ok/rotated")
    headers = {f"webhook-{name}": got[name] for name in ("id", "timestamp", "signature")}
    for secret in (old, new):
        assert Standard(secret).verify(got["body"], headers)["type"] == "webhook.test"


def test_a_store_filter_asks_the_read_side_where_an_event_names_no_store(world: WebhookWorld) -> None:
    kinds = (EventType.ORDER_READY, EventType.ORDER_CANCELLED)
    _, subscription = world.subscribe("/ok/filtered", *kinds, stores=("319",))
    mine, other, unknown = new_order(), new_order(), new_order()
    engine = connect(world.settings.database_url)
    upgrade(engine)
    engine.dispose()

    world.emit((mine, ready()), (other, ready("367")), (unknown, cancelled()))
    eventually(lambda: any("not known" in it.error for it in world.rows(subscription)))

    found = {it.subject: it.state for it in world.rows(subscription)}
    assert found.keys() == {mine, unknown}
    eventually(lambda: {it.subject: it.state for it in world.rows(subscription)}[mine] == "delivered")
    assert [json.loads(it["body"])["data"]["order"] for it in world.receiver.got("/ok/filtered")] == [mine]


@pytest.mark.parametrize(("kills", "count"), [(3, 60), pytest.param(30, 1_500, marks=pytest.mark.soak)])
def test_no_event_is_lost_whenever_the_worker_is_killed(world: WebhookWorld, kills: int, count: int) -> None:
    path = f"/first/503/killed-{kills}"
    _, subscription = world.subscribe(path, EventType.ORDER_READY, EventType.ORDER_CANCELLED)
    orders = [new_order() for _ in range(count)]
    share = -(-count // (kills + 1))

    for number in range(kills + 1):
        mine = orders[number * share : (number + 1) * share]
        world.emit(*((order, event) for order in mine for event in (ready(), cancelled())))
        if number < kills:
            before = len(world.receiver.got(path))
            eventually(lambda before=before: len(world.receiver.got(path)) > before)
            world.kill()
            world.start()
            world.hurry(subscription)
    eventually(lambda: world.hurry(subscription) or world.states(subscription) == ["delivered"] * 2 * count, 60 + count)

    got = world.receiver.got(path)
    told = {(json.loads(it["body"])["data"]["order"], json.loads(it["body"])["type"]): it["id"] for it in got}
    assert told.keys() == {(order, kind) for order in orders for kind in ("order.ready", "order.cancelled")}
    # Every repeat of an event has its id, and no two events share one.
    assert len({it["id"] for it in got}) == len({it["body"] for it in got}) == 2 * count
