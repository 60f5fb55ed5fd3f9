"""A replay by a mapping reads the baskets that the store agent reads, each once."""

import json
from pathlib import Path
from typing import Any

import pytest

from bopis.services.replay.intake import RejectedRows
from bopis.services.replay.mapped import mapped_sum, read_mapped
from bopis.services.replay.staging import Staging
from bopis.services.till_files.mapping_file import parse_mapping, read_mapping
from bopis.tables.source import TableFile

TILLS = Path(__file__).parent / "tills"
CASES = [it for it in json.loads((TILLS / "expected.json").read_text())["cases"] if it["file"] != "dsfinvk/"]
TWICE = """
name = "a feed"
kind = "ndjson"
store = "1"
[columns]
basket = "id"
sku = "lines.sku"
quantity = "lines.qty"
sold_at = "at"
[ndjson]
lines = "lines"
[returns]
condition = "damaged"
"""


@pytest.mark.parametrize("case", CASES, ids=[it["file"] for it in CASES])
def test_a_replay_stages_what_was_worked_out_by_hand(case: dict[str, Any]) -> None:
    name = str(case["file"])
    mapping = read_mapping(str(TILLS / "mappings" / f"{Path(name).stem}.toml"))
    export = TableFile(str(TILLS / name))
    cells: dict[str, dict[str, int]] = {}

    with Staging() as staging:
        taken = read_mapped(export, mapping, staging, RejectedRows(None, lambda *_: None), lambda _: None)
        baskets = list(staging.baskets())
    export.close()

    for basket in baskets:
        for sku, quantity, _ in basket.lines:
            found = cells.setdefault(basket.store, {})
            found[sku] = found.get(sku, 0) + quantity
    assert {store: {sku: it for sku, it in found.items() if it} for store, found in cells.items()} == case["units"]
    assert mapped_sum(export, mapping) == {
        (store, sku): it for store, found in cells.items() for sku, it in found.items()
    }
    assert taken.rejected == len(case.get("rejected", [])) + len(case.get("conflicts", []))
    assert staging.totals.duplicates == len(case.get("duplicates", []))
    assert [it.at_ms for it in baskets] == sorted(it.at_ms for it in baskets)


def test_a_basket_again_with_other_content_is_rejected_and_unsellable_goods_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "feed.ndjson"
    line = '{"id":7,"at":"2026-01-01T10:00:00Z","lines":[{"sku":"A","qty":%s},{"sku":"B","qty":-1}]}\n'
    file.write_text(line % 2 + line % 2 + line % 3)
    export, causes = TableFile(str(file)), list[tuple[int, str]]()

    with Staging() as staging:
        rejects = RejectedRows(None, lambda place, cause: causes.append((place, cause)))
        taken = read_mapped(export, parse_mapping(TWICE, "m"), staging, rejects, lambda _: None)
        baskets = list(staging.baskets())

    assert [it.lines for it in baskets] == [(("A", 2, 0),)]
    assert causes == [(3, "basket 7 is in the file before, with other content")]
    assert (staging.totals.duplicates, taken.left_out) == (1, 1)
    assert mapped_sum(export, parse_mapping(TWICE, "m")) == {("1", "A"): 2}
