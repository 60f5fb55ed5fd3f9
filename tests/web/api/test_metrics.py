"""Figures for Prometheus: of the process, and of the whole installation."""

import re
from pathlib import Path

from bopis.access.roles import Role
from bopis.names import PROCESSORS
from bopis.web import operation_metrics
from tests.cli.program import run
from tests.web.shop import Shop

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


def figures(shop: Shop) -> dict[tuple[str, str], float]:
    """The samples by name and labels."""
    text = shop.ask("GET", "/metrics", Role.HQ_VIEWER).text
    found = [SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#")]
    return {(it[1], it[2] or ""): float(it[3]) for it in found if it is not None}


def test_the_figures_name_every_processor_and_its_workers(shop: Shop) -> None:
    def all_report() -> bool:
        now = figures(shop)
        running = [now.get(("bopis_workers", f'processor="{it}",state="running"')) for it in PROCESSORS]
        return running == [1] * len(PROCESSORS)

    # Workers report every few seconds, and the figures are kept for some.
    assert shop.eventually(all_report)

    now = figures(shop)
    assert now["bopis_log_up", ""] == 1
    assert now["bopis_workers", 'processor="orders",state="silent"'] == 0
    assert ("bopis_processor_lag_records", 'processor="projection"') in now
    assert now["bopis_dead_letters", ""] >= 0


def test_a_complete_back_up_is_seen_and_keys_alone_are_none(shop: Shop, tmp_path: Path) -> None:
    home = ("--data-dir", str(shop.home))
    assert run("privacy", "backup", "--folder", str(tmp_path / "keys"), *home).code == 0
    with shop.vault() as vault:
        with_keys_alone = vault.last_backup_ms()

    assert run("backup", str(tmp_path / "whole"), *home).code == 0

    assert with_keys_alone is None
    assert shop.eventually(lambda: figures(shop)["bopis_backup_timestamp_seconds", ""] > 1_700_000_000)
    assert operation_metrics.KEPT_SECONDS < 15, "an alert must not wait for long"
