"""Files of tills in their own formats pass through the sources and the journal once, whatever is in them."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.agent_process import Folder, GrowingFile, Sources
from bopis.domain.inventory.messages import Condition
from bopis.domain.inventory.outcomes import net_of
from bopis.domain.message import Message
from bopis.journal import review
from bopis.journal.journal import Journal
from bopis.journal.status import status_of
from bopis.services.till_files.errors import MappingInvalid
from bopis.tables.errors import TableNotOpened
from bopis.tables.source import TableFile
from bopis.wire.stock import STOCK
from store_agent.runtime import sources_of
from store_agent.sources.folder import DropFolder
from store_agent.sources.growing_file import Tail
from tests.cli.program import run
from tests.store_agent.agents import STORE, options_for

TILLS = Path(__file__).parents[1] / "services" / "till_files" / "tills"
CASES = json.loads((TILLS / "expected.json").read_text(encoding="utf-8"))["cases"]
# Every case as the agents of its stores read it.
OF_STORES = [(case, store) for case in CASES for store in sorted(case["units"])]
IDS = [f"{case['file'].rstrip('/')}-{store}" for case, store in OF_STORES]
PLAIN = """
name = "plain"
kind = "csv"
{more}
[columns]
store = "shop"
basket = "ticket"
sku = "sku"
quantity = "qty"
sold_at = "at"
[returns]
column = "state"
[returns.words]
ok = "sellable"
broken = "damaged"
"""


def mapping_of(file: str) -> str:
    return str(TILLS / "mappings" / f"{Path(file).stem}.toml")


class Shop:
    """The sources and the journal of one store's agent, without its process."""

    def __init__(self, home: Path, store: str) -> None:
        self.journal = Journal(home / f"journal-{store}", store)
        self._options, self._home, self._store = options_for(home, "", ""), home, store
        self._source: DropFolder | Tail | None = None

    def opened(self, mapping: str, growing: Path | None = None) -> DropFolder | Tail:
        drop = self._home / f"drop-{self._store}"
        drop.mkdir(exist_ok=True)
        sources = Sources(folder=(Folder(name="till", path=drop, mapping=mapping),))
        if growing is not None:
            sources = Sources(file=(GrowingFile(name="till", path=growing, mapping=mapping),))
        options = type(self._options)(
            store=self._store, directory=self._home, version="test", port=0, limits=self._options.limits,
            sources=sources, settle_seconds=0.0,
        )  # fmt: skip
        [source] = sources_of(options, self.journal)
        return source

    def drop(self, *files: Path) -> None:
        """Put files, or folders of files, into the drop folder."""
        for it in files:
            target = self._home / f"drop-{self._store}" / it.name
            shutil.copytree(it, target) if it.is_dir() else shutil.copy(it, target)

    def sent(self) -> list[Message]:
        return [STOCK.decode(it.value) for it in self.journal.waiting(10_000, 1 << 30)]

    def units(self) -> dict[str, int]:
        """Units that left the shelf by what waits to be sent."""
        sums: Counter[str] = Counter()
        for it in net_of([message.data for message in self.sent()]) or ():
            sums[it.sku] += it.units if it.condition is Condition.SELLABLE else 0
        return {sku: units for sku, units in sums.items() if units}

    def rejected(self) -> list[str]:
        return sorted(it.place.rpartition(":")[2] for it in review.rejects(self.journal, 1000))

    def changed(self) -> list[str]:
        return [it.place.rpartition(":")[2] for it in review.changed_baskets(self.journal, 1000)]

    def warnings(self) -> list[str]:
        return [it.text.partition(": ")[2] for it in status_of(self.journal).warnings]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with_store = Shop(tmp_path, STORE)
    yield with_store
    with_store.journal.close()


def warned(case: dict[str, Any]) -> list[str]:
    found = [it for name in ("gaps", "till_gaps") for it in case.get(name, {}).items()]
    return [f"{device} has no number {', '.join(map(str, numbers))}" for device, numbers in found]


@pytest.mark.parametrize(("case", "store"), OF_STORES, ids=IDS)
def test_a_file_of_a_till_is_booked_as_it_was_worked_out_by_hand(
    tmp_path: Path, case: dict[str, Any], store: str
) -> None:
    file = TILLS / case["file"]
    shop = Shop(tmp_path, store)
    source = shop.opened(mapping_of(case["file"].rstrip("/")), file if file.suffix == ".ndjson" else None)
    if isinstance(source, DropFolder):
        shop.drop(file)

    read = source.poll()
    again = source.poll()

    mine = [it for it in case["baskets"] if it["store"] == store]
    others = [it for it in case["baskets"] if it["store"] != store]
    assert (bool(read), bool(again)) == (True, False)
    # Lines of one basket may net to zero: it is sent all the same.
    assert Counter((it.data.basket, it.time) for it in shop.sent()) == Counter(
        (it["basket"], datetime.fromisoformat(it["sold_at"])) for it in mine
    )
    assert {it.subject for it in shop.sent()} == {store}
    assert [it.seq for it in shop.sent()] == list(range(1, len(mine) + 1))
    assert shop.units() == case["units"][store]
    assert shop.changed() == list(map(str, case.get("conflicts", [])))
    bad = [str(it["line"]) for it in case["rejected"]]
    assert Counter(shop.rejected()) >= Counter(bad)
    assert len(shop.rejected()) == len(bad) + len(others)
    assert [it for it in shop.warnings() if "has no number" in it] == warned(case)
    shop.journal.close()


def test_files_that_overlap_book_only_what_is_new_and_a_change_once_it_is_accepted(tmp_path: Path) -> None:
    case = next(it for it in CASES if "then" in it)
    second = case["second"]
    [store] = case["units"]
    shop = Shop(tmp_path, store)
    source = shop.opened(mapping_of(case["file"]))

    for file in (case["file"], case["then"], case["then"], case["file"]):
        shop.drop(TILLS / file)
        assert source.poll() == 1

    changed = review.changed_baskets(shop.journal, 100)
    new = [*case["baskets"], *second["baskets"]]
    assert sorted(it.data.basket for it in shop.sent()) == sorted(it["basket"] for it in new)
    assert {it.basket.basket: {net.sku: net.units for net in it.basket.net or ()} for it in changed} == {
        it["basket"]: it["now"] for it in second["conflicts"]
    }
    assert shop.units() == second["units_while_conflicts_wait"][store]
    for it in changed:
        review.accept(shop.journal, it.number)
    assert shop.units() == second["units_when_all_are_accepted"][store]
    shop.drop(TILLS / case["then"])
    assert source.poll() == 1
    assert review.changed_baskets(shop.journal, 100) == []
    shop.journal.close()


def mapping(tmp_path: Path, more: str = "") -> str:
    file = tmp_path / "till.toml"
    file.write_text(PLAIN.format(more=more), encoding="utf-8")
    return str(file)


def rows(tmp_path: Path, name: str, *lines: str) -> Path:
    file = tmp_path / name
    file.write_text("\n".join(("shop,ticket,sku,qty,at,state", *lines)) + "\n", encoding="utf-8")
    return file


SOLD = f"{STORE},7,A,2,2026-01-01T10:00:00Z,"
OTHER = "367,8,A,2,2026-01-01T10:00:00Z,"


@pytest.mark.parametrize(("more", "rejected"), [("", ["3"]), ('other_stores = "pass_over"', [])])
def test_a_basket_of_another_store_is_rejected_unless_the_mapping_says_otherwise(
    tmp_path: Path, shop: Shop, more: str, rejected: list[str]
) -> None:
    source = shop.opened(mapping(tmp_path, more))
    shop.drop(rows(tmp_path, "a.csv", SOLD, OTHER))

    source.poll()

    assert shop.units() == {"A": 2}
    assert shop.rejected() == rejected
    assert all("store 367" in it.cause for it in review.rejects(shop.journal, 5))


def test_goods_that_come_back_damaged_stay_off_the_shelf_also_when_they_change_a_basket(
    tmp_path: Path, shop: Shop
) -> None:
    source = shop.opened(mapping(tmp_path))
    back = SOLD.replace(",2,", ",-1,")
    for name, more in (("a.csv", ()), ("b.csv", (back + "broken",)), ("c.csv", (back + "ok",))):
        shop.drop(rows(tmp_path, name, SOLD, *more))
        source.poll()
    damaged, sellable = review.changed_baskets(shop.journal, 5)

    review.accept(shop.journal, damaged.number)

    assert shop.units() == {"A": 2}
    assert [type(it.data).__name__ for it in shop.sent()] == ["PosSale", "PosReturn"]
    with pytest.raises(review.ChangeNotBookable):
        review.accept(shop.journal, sellable.number)


def test_a_file_that_is_refused_as_a_whole_is_moved_away_and_named(tmp_path: Path, shop: Shop) -> None:
    source = shop.opened(mapping(tmp_path))
    bad = tmp_path / "a.csv"
    bad.write_text("ticket,sku\n1,A\n", encoding="utf-8")
    shop.drop(bad, rows(tmp_path, "b.csv", SOLD))

    assert source.poll() == 2

    [reject] = review.rejects(shop.journal, 5)
    assert reject.place == "a.csv"
    assert "no column 'shop'" in reject.cause
    assert [it.name for it in tmp_path.glob("drop-*/failed/*")] == ["a.csv"]
    assert shop.units() == {"A": 2}


def test_a_file_waits_while_its_disk_fails(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shop.opened(mapping(tmp_path))
    shop.drop(rows(tmp_path, "a.csv", SOLD))
    with monkeypatch.context() as failing:
        failing.setattr(TableFile, "lines", fail)
        assert source.poll() == 0

    assert source.poll() == 1
    assert shop.units() == {"A": 2}
    assert shop.rejected() == []


def fail(*_: object) -> None:
    """A share that went away, as the reader of tables names it."""
    try:
        raise OSError(5, "Input/output error")
    except OSError as error:
        raise TableNotOpened(name="a.csv", cause=error) from error


@pytest.mark.parametrize("is_archive", [True, False], ids=["zip", "folder"])
def test_an_export_of_several_files_is_one_unit(
    tmp_path: Path, is_archive: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(it for it in CASES if it["file"] == "dsfinvk/")
    shop = Shop(tmp_path, "B1")
    source = shop.opened(mapping_of("dsfinvk"))
    export = TILLS / "dsfinvk"
    if is_archive:
        export = Path(shutil.make_archive(str(tmp_path / "dsfinvk"), "zip", export))
    shop.drop(export)
    shop.drop(TILLS / "overlap-1.csv")

    assert (source.poll(), source.poll()) == (1, 0)
    assert capsys.readouterr().err.count('"folder.waits"') == 1

    assert shop.units() == case["units"]["B1"]
    [drop] = tmp_path.glob("drop-*")
    assert sorted(it.name for it in drop.iterdir()) == ["done", "overlap-1.csv"]
    assert [it.name for it in (drop / "done").iterdir()] == [export.name]
    shop.journal.close()


def test_a_folder_waits_until_its_index_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = Shop(tmp_path, "B1")
    source = shop.opened(mapping_of("dsfinvk"))
    [drop] = tmp_path.glob("drop-*")
    (drop / "export").mkdir()

    polled = []
    for name in ("lines.csv", "transactions.csv", "index.xml"):
        polled.append(source.poll())
        shutil.copy(TILLS / "dsfinvk" / name, drop / "export" / name)
    polled.append(source.poll())

    assert polled == [0, 0, 0, 1]
    assert capsys.readouterr().err.count('"folder.waits"') == 1
    assert len(shop.sent()) == 5
    shop.journal.close()


def test_a_growing_journal_is_read_on_from_where_it_was_also_by_another_process(tmp_path: Path) -> None:
    content = (TILLS / "journal.ndjson").read_bytes()
    case = next(it for it in CASES if it["file"] == "journal.ndjson")
    file = tmp_path / "journal.ndjson"
    shop = Shop(tmp_path, "21")
    source = None

    for number, size in enumerate((100, 300, 323, 700, 701, len(content))):
        file.write_bytes(content[:size])
        if number % 2 == 0:
            source = shop.opened(mapping_of("journal"), file)
        assert source is not None
        source.poll()
        assert source.poll() == 0

    assert shop.units() == case["units"]["21"]
    assert shop.rejected() == sorted(str(it["line"]) for it in case["rejected"])
    assert shop.changed() == ["9"]
    cursor = shop.journal.cursor(str(file))
    assert cursor is not None
    assert cursor.offset == content.rfind(b"\n") + 1
    shop.journal.close()


def test_a_long_journal_is_stored_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store_agent.sources.mapped_files.RECORDS_PER_PART", 2)
    shop = Shop(tmp_path, "21")
    source = shop.opened(mapping_of("journal"), TILLS / "journal.ndjson")
    assert isinstance(source, Tail)
    taken: list[int] = []
    take = shop.journal.take

    def watch(*given: Any) -> Any:
        taken.append(given[2].offset)
        return take(*given)

    monkeypatch.setattr(shop.journal, "take", watch)

    source.poll()

    assert len(taken) > 3
    assert 0 < taken[0] < taken[1]
    assert taken == sorted(taken)
    assert shop.units() == {"A-100": 6, "B-200": 1, "C-300": 2}
    shop.journal.close()


def test_the_last_line_of_a_complete_journal_does_not_wait_for_its_end(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "21")
    source = shop.opened(mapping_of("journal"))
    shop.drop(TILLS / "journal.ndjson")

    assert source.poll() == 1

    assert "14" in shop.rejected()
    shop.journal.close()


WRONG = {
    "unknown": ("folder", "square-item", "did you mean square-items?"),
    "no store": ("folder", "journal", "its store is STORE, and the agent is store 319's"),
    "other stores": (
        "folder",
        mapping_of("overlap-1.csv").replace("overlap-1", "shopify-orders"),
        "none of its stores",
    ),
    "no journal": ("file", mapping_of("overlap-1.csv"), "use a [[folder]]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mapping_that_does_not_fit_is_named_at_the_start(tmp_path: Path, name: str) -> None:
    kind, stated, words = WRONG[name]
    file = tmp_path / "sources.toml"
    file.write_text(f'[[{kind}]]\nname = "till-4"\npath = "/t"\nmapping = "{stated}"\n', encoding="utf-8")

    answer = run("agent", "run", BOPIS_AGENT_STORE=STORE, BOPIS_AGENT_SOURCES=str(file))

    assert answer.code == 78
    for it in (words, "agent_sources", "mapping of till-4"):
        assert it in " ".join(answer.err.split()), answer.err


def test_the_process_refuses_a_mapping_that_was_changed_since(tmp_path: Path, shop: Shop) -> None:
    with pytest.raises(MappingInvalid, match="none of its stores"):
        shop.opened(mapping_of("shopify-orders"))


def test_an_agent_without_mappings_loads_nothing_of_them() -> None:
    mapped = ("bopis.services.till_files.", "bopis.tables.", "zoneinfo", "csv")
    program = f"import sys, store_agent.runtime; print([it for it in sys.modules if it.startswith({mapped})])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
