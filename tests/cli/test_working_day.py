"""What people do at the keyboard, from the goods that come in to the check at night, on a running installation."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.names import PROCESSORS
from bopis.wire.stock import STOCK
from tests.cli.program import Installation


def test_goods_that_come_in_can_be_promised_at_once(bopis: Installation, store: str) -> None:
    received = bopis.ask("stock", "receive", store, "4011=24", "4012=6", "--document", "PO-1")
    shown = bopis("stock", "show", store, "4011")

    assert {it["sku"]: it["atp"] for it in received["levels"]} == {"4011": 24, "4012": 6}
    assert shown.out.startswith(f"4011 in {store}: 24 available to promise = 24 on hand; no till message yet")
    assert shown.out.count("\n") == 1


def test_one_sku_and_its_number_may_stand_side_by_side(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011", "24")
    adjusted = bopis.ask("stock", "adjust", store, "4011", "-2", "--reason", "damage")

    assert adjusted["levels"][0]["terms"]["on_hand"] == 22


def test_a_count_stands_and_later_movements_are_added(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24")
    counted = bopis.ask("stock", "count", store, "4011=20", "--time", "1m")
    history = bopis.ask("stock", "history", store, "4011")

    assert counted["levels"][0]["terms"]["on_hand"] == 44
    assert [it["kind"] for it in history["movements"]] == ["receipt", "count"]


def test_the_past_is_told_on_both_clocks(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24", "--time", "2h")

    then = bopis.ask("stock", "at", store, "4011", "1h")
    books_then = bopis.ask("stock", "at", store, "4011", "1h", "--clock", "recorded")

    assert then["atp"] == 24
    assert books_then["atp"] == 0
    ahead = bopis("stock", "at", store, "4011", "in 2h")
    assert ahead.code == 2
    assert "--on" in ahead.err


def test_why_names_who_said_what(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24", "--document", "PO-9", "--id", "receipt-9")
    bopis.ask("stores", "policy", store, "--sku", "4011", "--safety-stock", "3", "--walk-in", "1")

    why = bopis("stock", "why", store, "4011", BOPIS_ACTOR="kim").out

    assert "20 available to promise = 24 on hand - 3 safety stock (rule sku:4011) - 1 walk-in reserve" in why
    assert "+24  receipt PO-9" in why
    assert "message receipt-9" in why
    assert "safety stock 3: rule sku:4011" in why


def test_a_transfer_is_in_nobodys_books_until_it_arrives(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24")
    other = f"{store}-b"
    bopis.ask("stock", "receive", other, "4011=1", "--new-store")

    shipped = bopis("stock", "transfer", store, other, "4011=5", "--transfer", f"T-{store}")
    between = bopis.ask("stock", "show", other, "4011")
    arrived = bopis.ask("stock", "transfer", store, other, "4011=4", "--transfer", f"T-{store}", "--arrived")

    assert f"bopis stock transfer {store} {other} 4011=5 --transfer T-{store} --arrived" in shipped.err
    assert between["levels"][0]["terms"]["on_hand"] == 1
    assert arrived["levels"][0]["terms"]["on_hand"] == 5
    assert "4011 shipped 5, received 4" in arrived["events"][0]["said"]


def test_the_most_specific_rule_wins_and_a_removed_one_is_gone(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24")
    bopis.ask("stock", "categorise", store, "4011=produce")
    bopis.ask("stores", "policy", store, "--safety-stock", "5")
    by_category = bopis.ask("stores", "policy", store, "--category", "produce", "--safety-stock", "2")

    ruled = bopis.ask("stock", "show", store, "4011")["levels"][0]
    bopis.ask("stores", "policy", store, "--category", "produce", "--remove")
    unruled = bopis.ask("stock", "show", store, "4011")["levels"][0]

    assert set(by_category["rules"]) == {"store", "category:produce"}
    assert (ruled["atp"], ruled["terms"]["safety_stock_rule"]) == (22, "category:produce")
    assert (unruled["atp"], unruled["terms"]["safety_stock_rule"]) == (19, "store")


def test_a_store_that_takes_no_pickups_is_not_found(bopis: Installation, store: str) -> None:
    sku = f"only-{store}"
    bopis.ask("stock", "receive", store, f"{sku}=3")
    found = bopis.ask("stock", "find", sku, "--near", store)
    policy = bopis.ask("stores", "policy", store, "--pickup", "off", "--staleness", "150")
    shown = bopis("stock", "show", store, sku)

    assert [(it["store"], it["distance_km"], it["atp"]) for it in found["stores"]] == [(store, 0.0, 3)]
    assert (policy["pickup"], policy["staleness_percent"]) == (False, 150)
    assert "PICKUP IS OFF" in shown.out
    assert bopis.ask("stock", "find", sku)["stores"] == []


def test_the_same_id_and_time_are_taken_once(bopis: Installation, store: str) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=3)).isoformat()
    words = ("stock", "receive", store, "4011=24", "--id", f"once-{store}", "--time", at)

    bopis.ask(*words)
    again = bopis.ask(*words)

    assert again["levels"][0]["terms"]["on_hand"] == 24


def test_a_used_id_with_other_content_is_parked_and_told(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24", "--id", f"used-{store}")
    other = bopis("stock", "receive", store, "4011=25", "--id", f"used-{store}", "--json")

    assert other.code == 4
    assert "was used before with other content" in other.document["error"]["message"]
    assert "bopis dead-letters show stock/" in other.err


def test_a_dead_letter_is_shown_retried_and_discarded(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24", "--id", f"dead-{store}")
    bopis("stock", "receive", store, "4011=25", "--id", f"dead-{store}")
    name = next(it["name"] for it in bopis.ask("dead-letters", "list")["dead_letters"] if it["key"] == store)

    shown = bopis.ask("dead-letters", "show", name)
    retried = bopis("dead-letters", "retry", name, "--json")
    again = retried.document["dead_letters"][0]["sent_as"]
    twice = bopis("dead-letters", "retry", name)
    discarded = bopis.ask("dead-letters", "discard", again, "--reason", "typed twice", "--yes")
    every = {it["name"]: it for it in bopis.ask("dead-letters", "list", "--all")["dead_letters"]}

    assert f'"id":"dead-{store}"' in shown["value"]
    assert retried.code == 4
    assert "used before" in retried.document["dead_letters"][0]["parked_again"]
    assert twice.code == 4
    assert "was retried" in twice.err
    assert discarded["dead_letters"][0]["name"] == again
    assert every[name]["state"] == "retried"
    assert (every[again]["state"], every[again]["handled"]["reason"]) == ("discarded", "typed twice")


def test_a_count_that_comes_too_late_is_refused_with_what_to_do(bopis: Installation, store: str) -> None:
    with_sequences = [
        Message(
            id=f"{store}/{number}",
            source=f"till-{store}",
            seq=number,
            time=datetime.now(UTC) - timedelta(seconds=300 - number),
            subject=store,
            data=PosSale(basket=str(number), lines=(SaleLine("4011", 1),)),
        )
        for number in range(1, 201)
    ]
    publish(bopis, with_sequences)
    wait_until_sold(bopis, store, 200)

    late = bopis("stock", "count", store, "4011=9", "--time", "10m")

    assert late.code == 4
    assert "count it again" in late.err


def test_everything_agrees_at_night(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24")

    verdict = bopis.ask("verify")
    words = bopis("verify").out

    assert verdict["clean"] is True
    assert verdict["messages"] > 0
    assert verdict["violations"] == []
    assert words.startswith("Clean: ")


def test_status_tells_of_processors_lag_news_and_disk(bopis: Installation, store: str) -> None:
    sale = PosSale(basket="1", lines=(SaleLine("4011", 1),))
    said = Message(id=f"{store}/1", source=f"till-{store}", seq=1, time=datetime.now(UTC), subject=store, data=sale)
    publish(bopis, [said])
    wait_until_sold(bopis, store, 1)

    found = bopis.ask("status")
    words = bopis("status").out

    assert {it["name"]: it["state"] for it in found["processors"]} == dict.fromkeys(PROCESSORS, "ready")
    assert all(it["lag"] is not None for it in found["processors"])
    assert found["data_age"]["heard"] >= 1
    assert found["data_age"]["p50_ms"] <= found["data_age"]["worst_ms"]
    assert found["disk"]["log_bytes"] > 0
    assert "dead letters" in words


def test_doctor_finds_a_running_installation_healthy(bopis: Installation) -> None:
    found = bopis.ask("doctor")

    assert found["healthy"] is True
    assert {it["check"] for it in found["checks"]} >= {"python", "disk", "log", "topics", "clock", "database"}


def test_the_log_can_be_looked_into(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24", "--id", f"seen-{store}")

    topics = {it["topic"] for it in bopis.ask("topics", "list")["topics"]}
    described = bopis.ask("topics", "describe", "bopis.stock")
    tail = bopis.ask("topics", "tail", "stock", "--key", store)

    assert {"stock", "stores", "inventory-levels", "inventory-events", "dead-letters"} <= topics
    assert described["settings"]["message.timestamp.type"] == "LogAppendTime"
    assert [it["value"]["id"] for it in tail["records"]] == [f"seen-{store}"]


def test_a_read_side_that_is_wrong_is_found_and_made_anew_from_the_log(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=24")
    with closing(sqlite3.connect(bopis.home / "readside.sqlite3", timeout=30)) as database, database:
        database.execute("UPDATE levels SET on_hand = 99 WHERE store = ?", (store,))

    wrong = bopis("verify", "--json")
    in_words = bopis("verify")
    refused = bopis("readside", "rebuild")
    rebuilt = bopis.ask("readside", "rebuild", "--yes")

    assert wrong.code == in_words.code == 1
    assert wrong.document["clean"] is False
    assert [(it["where"], it["said"]) for it in wrong.document["violations"]] == [
        (f"{store} 4011", "the read side shows 99, the books say 24")
    ]
    assert "NOT clean" in in_words.out
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert rebuilt["records"] > 0
    assert bopis.ask("stock", "show", store, "4011")["levels"][0]["atp"] == 24
    assert bopis.ask("verify")["clean"] is True


def test_a_slip_in_the_store_books_nothing_elsewhere(bopis: Installation, store: str) -> None:
    slip = bopis("stock", "receive", f"{store}x", "4011=24")
    unknown = bopis("stock", "show", f"{store}x")

    assert slip.code == unknown.code == 3
    assert f"did you mean {store}" in slip.err
    assert bopis.ask("topics", "tail", "stock", "--key", f"{store}x")["records"] == []


def test_a_sku_that_was_never_spoken_of_is_not_found(bopis: Installation, store: str) -> None:
    for verb in ("show", "history", "why"):
        answer = bopis("stock", verb, store, "nothing")
        assert answer.code == 3
        assert "bopis stock find nothing" in answer.err


def test_the_tables_fit_and_an_upgrade_changes_nothing(bopis: Installation) -> None:
    upgraded = bopis.ask("db", "upgrade")
    checked = bopis.ask("db", "check")

    assert upgraded["version"]
    assert checked["differences"] == []


def test_what_is_not_waited_for_is_said_so(bopis: Installation, store: str) -> None:
    told = bopis.ask("stock", "receive", store, "4011=24", "--no-wait")

    assert (told["waited"], told["levels"]) == (False, [])


def publish(bopis: Installation, messages: list[Message]) -> None:
    from bopis.adapters.publisher import LogPublisher

    with LogPublisher(bopis.ready["bootstrap"], "bopis.", linger_ms=5) as publisher:
        for message in messages:
            publisher.publish("stock", message.subject, STOCK.encode(message))
        publisher.flush()


def wait_until_sold(bopis: Installation, store: str, units: int) -> None:
    import time

    give_up = time.monotonic() + 20
    while True:
        shown = bopis("stock", "show", store, "4011", "--json")
        if shown.code == 0 and shown.document["levels"][0]["terms"]["on_hand"] == -units:
            return
        assert time.monotonic() < give_up, shown.out + shown.err
        time.sleep(0.05)
