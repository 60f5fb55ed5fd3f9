"""The catalogue reaches the stock in the order of the log, whatever dies in between."""

import json
import time
from pathlib import Path
from typing import Any

from bopis.adapters.address import embedded_log
from bopis.adapters.log import LogReader
from bopis.settings import load
from tests.cli.program import run
from tests.cli.test_workers import Site, site

__all__ = ["site"]  # a fixture

STORE = "319"
PATIENCE_SECONDS = 240.0
LATER = [
    {"sku": "BEER", "gtins": "5012345678900"},
    {"sku": "SIX", "components": "BEER*6"},
    {"sku": "ALE", "gtins": "4006381333931"},
]


def catalogue(site: Site, folder: Path, *rows: dict[str, str]) -> None:
    file = folder / "catalogue.ndjson"
    file.write_text("".join(json.dumps(it) + "\n" for it in rows))
    assert run("catalogue", "import", str(file), "--data-dir", str(site.home)).code == 0


def report(site: Site, *words: str) -> None:
    answer = run("stock", *words, "--no-wait", "--data-dir", str(site.home))
    assert answer.code == 0, answer.err


def decided(site: Site) -> None:
    """Wait until the books are those of the whole log, by the independent model."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        status = run("status", "--json", "--data-dir", str(site.home)).document["processors"]
        if all(it["lag"] == 0 for it in status if it["name"] == "inventory"):
            return
        assert time.monotonic() < end, status
        time.sleep(0.2)


def test_a_kill_between_changes_of_the_catalogue_loses_and_doubles_nothing(site: Site, tmp_path: Path) -> None:
    first = site.start("worker", "inventory")
    catalogue(site, tmp_path, {"sku": "BEER"}, {"sku": "SIX"})
    report(site, "receive", STORE, "BEER=100", "--new-store")
    decided(site)
    first.kill()
    first.wait(10)
    # Nobody owns the partitions: the catalogue changes, and tills sell under codes that the rows do not know.
    catalogue(site, tmp_path, *LATER)
    second = site.start("worker", "inventory")
    second.kill()
    second.wait(10)
    third = site.start("worker", "inventory")
    decided(site)
    report(site, "receive", STORE, "SIX=2", "--new-store")
    decided(site)
    third.kill()
    third.wait(10)
    site.start("worker", "inventory")
    decided(site)

    levels = newest(site, "inventory-levels")
    assert {key: it["on_hand"] for key, it in levels.items() if key[0] != "@" and "|" in key} == {f"{STORE}|BEER": 112}
    assert {key for key in levels if key.startswith(("@article|", "@kit|"))} == {
        "@article|-|BEER",
        "@article|-|ALE",
        "@kit|-|SIX",
    }
    verdict = run("verify", "--json", "--data-dir", str(site.home)).document
    assert verdict["violations"] == []


def address(site: Site) -> str:
    log = embedded_log(site.home)
    assert log is not None
    return log.address


def newest(site: Site, topic: str) -> dict[str, Any]:
    """The newest value of each key."""
    with LogReader(address(site), load().topic_prefix) as reader:
        records = list(reader.read(reader.start_offsets([topic]), reader.end_offsets([topic])))
    found = {(it.key or b"").decode(): it.value for it in records}
    return {key: json.loads(value) for key, value in found.items() if value}
