"""The demonstration over real processes: small, but with everything in it."""

from pathlib import Path
from typing import Any

from tests.faults.payment_ledger import LedgerFile
from tests.services.replay.programs import run


def test_a_small_day_with_kills_pickup_orders_and_an_offline_shop_ends_right(tmp_path: Path) -> None:
    told = run(tmp_path / "unused", "demo", "--data-dir", tmp_path / "demo", "--stores", "5", "--seconds", "8")

    assert told["wrong"] == []
    assert told["ok"]
    assert told["oversold"] == told["gaps"] == told["dead_letters"] == told["mismatches"] == 0
    assert told["verify"] == "clean"
    holds = told["holds"]
    assert holds["granted"] > 0 < holds["refused"]["not_enough_stock"]
    assert holds["asked"] == holds["granted"] + sum(holds["refused"].values())
    assert holds["granted"] == holds["active"] + sum(holds["ended"].values())
    assert told["offline"]["late_baskets"] > 0
    for kill in (told["kill"], told["kill_of_orders"], told["kill_of_payment_runner"]):
        assert kill["successor_pid"] not in (0, kill["pid"])
    assert told["latency_ms"]["samples"] > 0
    pickups = told["pickups"]
    assert pickups["placed"] == pickups["collected"] + pickups["cancelled"] + pickups["no_shows"] == 32
    assert pickups["mismatches"] == pickups["refused"] == pickups["unsent"] == 0
    assert 0 < pickups["late"] == pickups["ready"] - pickups["kept"]
    assert pickups["p95_minutes"] > 120 > pickups["p50_minutes"] > 0
    assert pickups["mails"] == len(list((tmp_path / "demo" / "outbox").rglob("*.eml"))) > 2 * 32
    assert not (tmp_path / "unused").exists()
    assert_payments_are_right(told["payments"], tmp_path / "demo" / "demo-gateway.jsonl")


def assert_payments_are_right(told: dict[str, Any], ledger: Path) -> None:
    """Half of the orders are paid in advance, in every way that there is, and both ledgers tell the same."""
    assert told["orders"] == 16
    assert told["by_next"] == 8
    assert (told["asked"], told["unpaid"], told["at_till"]) == (3, 1, 1)
    assert told["declines"].keys() == {"soft", "hard", "never", "data", "technical", "authenticate"}
    assert told["books"] == told["gateway"]
    assert told["books"]["authorised"] > told["books"]["captured"] > told["books"]["refunded"] > 0
    assert told["books"]["open"] == told["differences"] == told["unplanned"] == told["wrong_prices"] == 0
    assert told["unpaid_handovers"] == told["owed_cents"] == 0
    assert told["reconcile"] == "equal"
    sums = LedgerFile(ledger).refresh().sums().values()
    assert told["gateway"]["captured"] == sum(it.captured for it in sums)
    assert told["gateway"]["refunded"] == sum(it.refunded for it in sums)


def test_it_does_not_play_on_books_that_are_kept(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite3").touch()

    told = run(tmp_path, "demo", "--data-dir", tmp_path, code=4)

    assert "empty directory" in told["error"]["message"]
