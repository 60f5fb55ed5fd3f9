"""Transactions of an ARTS POSLog as records, in any of its dialects. Source: ARTS/OMG POSLog 2.1, 2.2 and 6.0.

Only children of a transaction itself are read: links to other transactions and promotions repeat its elements below.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from bopis.services.till_files.defaults import columns_of
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.expressions import names_in
from bopis.services.till_files.facts import Item, Record
from bopis.services.till_files.mapping import Mapping, PosLogLayout, VoidReading
from bopis.services.till_files.rules import is_true
from bopis.services.till_files.sources.xml_stream import Node, nodes

TRANSACTION, ITEM = "transaction/", "item/"
STATUS = "@TransactionStatus"
UNIT = "UnitOfMeasureCode"
# Flags of a transaction that make it no sale (ARTS POSLog charter): the mapping gives the reason.
NO_SALE_FLAGS = ("CancelFlag", "TrainingModeFlag", "SuspendFlag", "VoidFlag")
CODES = ("ItemID", "POSIdentity")
TEXT_CHARACTERS_MAX = 400
_STEP = re.compile(
    r"(?P<any>\*:)?(?P<name>[^\[\]@/]+)(?:\[(?P<kind>@?)(?P<key>[^=\]]+)=['\"](?P<value>[^'\"]*)['\"]\])?"
)
_NAIVE = re.compile(r".*T[0-9:.]+")
_OFFSET = re.compile(r"(?P<sign>[+-]?)(?P<hours>\d\d):(?P<minutes>\d\d)(?::\d\d)?")


def is_of_line(name: str) -> bool:
    """Whether a path belongs to a line rather than to its transaction."""
    return not name.startswith(TRANSACTION)


def records(name: str, file: BinaryIO, mapping: Mapping) -> Iterator[Record]:
    """Every transaction, in order. Raises `TillFileRefused` for a file that is not well formed or cut off."""
    layout = mapping.poslog
    timed = frozenset(names_in(columns_of(mapping)["sold_at"]).all) if layout.offset else frozenset()
    words = {name for it in mapping.words for name in names_in(it.column).all}
    status = f"{TRANSACTION}{layout.retail}/{STATUS}"
    for number, node in enumerate(nodes(name, file, layout.transaction, mapping.layout.encoding), start=1):
        fields = PosLogFields(node, None, None, layout, timed)
        retail = node.child(layout.retail)
        text = outline(node)
        if retail is None:
            yield Record(str(number), fields, why="control", text=text)
            continue
        cause = _flag_cause(node, retail)
        if not cause and status not in words and (word := fields.get(status, "")):
            cause = f"TransactionStatus {word!r} is not known; add it to words or not_stock in the mapping"
        lines = enumerate(retail.all(layout.lines), start=1)
        items = [
            item
            for place, line in lines
            if (item := _item(f"{number}.{place}", PosLogFields(node, line, goods_of(line), layout, timed), mapping))
        ]
        yield Record(str(number), fields, items, cause, text=text)


def _flag_cause(node: Node, retail: Node) -> str:
    """The cause that a transaction has a flag for which no rule of the mapping fitted."""
    for flag in NO_SALE_FLAGS:
        for place in (node, retail):
            try:
                if is_true(place.attribute(flag).strip(), flag):
                    return f"{flag} is true; add a rule for it to not_stock in the mapping"
            except BadRow as bad:
                return str(bad)
    return ""


def goods_of(line: Node) -> Node | None:
    """The element of a line that has goods: a quantity and a code of an article."""
    for it in line.children:
        if it.child("Quantity") is not None and any(it.child(code) is not None for code in CODES):
            return it
    return next((it for it in line.children if it.name in ("Sale", "Return")), None)


def _item(label: str, fields: "PosLogFields", mapping: Mapping) -> Item | None:
    layout, goods = mapping.poslog, fields.goods
    if goods is None:
        return None  # tenders, taxes, rewards
    cause, why = "", layout.not_sold_items.get(goods.name, "")
    direction = layout.items.get(goods.name, "")
    if not direction and not why:
        cause = f"{goods.name} is not known; add it to poslog.items or poslog.not_sold_items in the mapping"
    voided = False
    try:
        voided = any(is_true(fields.get(flag, ""), flag) for flag in layout.void_flags)
    except BadRow as bad:
        cause = cause or str(bad)
    if voided and layout.void is VoidReading.MARKS_ITS_LINE:
        why, voided = why or "void", False
    elif voided and layout.void is None:
        cause = cause or "a void; state how this till writes voids with poslog.void in the mapping"
    return Item(label, fields, direction, voided, why, cause)


class PosLogFields:
    """Fields of a transaction or of one of its lines by path: ``item/POSIdentity[@POSIDType='EAN']/POSItemID``."""

    __slots__ = ("_layout", "_line", "_quantity", "_timed", "_transaction", "goods")

    def __init__(
        self, transaction: Node, line: Node | None, goods: Node | None, layout: PosLogLayout, timed: frozenset[str]
    ) -> None:
        self._transaction, self._line, self.goods = transaction, line, goods
        self._layout, self._timed = layout, timed
        self._quantity: Node | None = None

    def get(self, name: str, default: str = "", /) -> str:
        """The text at a path, the first that is not blank."""
        path, start = name, self._line
        if name.startswith(TRANSACTION):
            path, start = name[len(TRANSACTION) :], self._transaction
        elif name.startswith(ITEM):
            path, start = name[len(ITEM) :], self.goods
        if start is None:
            return default
        parts = steps(path)
        if self._quantity is not None and parts[0].name == self._layout.quantity and start is self.goods:
            start, parts = self._quantity, parts[1:]
        found = at(start, parts)
        if found is None:
            return default
        return self._with_offset(found) if name in self._timed else found.text.strip()

    def measure(self, units: tuple[str, ...], kept_in: str) -> None:
        """Take the quantity that is in one of these units. Raises `BadRow` when there is none."""
        if not units or self.goods is None:
            return
        quantities = self.goods.all(self._layout.quantity)
        self._quantity = next((it for it in quantities if it.attribute(UNIT).strip() in units), None)
        if self._quantity is None:
            raise BadRow(f"no quantity in {' or '.join(units)} for an item kept in {kept_in}")

    def _with_offset(self, found: "Found") -> str:
        text = found.text.strip()
        offset = _OFFSET.fullmatch(found.node.attribute(self._layout.offset.removeprefix("@")).strip())
        if offset is None or not _NAIVE.fullmatch(text):
            return text
        return f"{text}{offset['sign'] or '+'}{offset['hours']}:{offset['minutes']}"


class Step(NamedTuple):
    """A step of a path: an element of the same namespace (`anywhere`: of any), perhaps with an attribute or child of a
    value; or an attribute."""

    name: str
    is_attribute: bool = False
    anywhere: bool = False
    key: str = ""
    value: str = ""
    by_attribute: bool = False


class Found(NamedTuple):
    """A text and the element that has it."""

    node: Node
    text: str


@lru_cache(maxsize=1_000)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path."""
    found = []
    for part in re.findall(r"(?:[^/\[]|\[[^\]]*\])+", path):
        if part.startswith("@"):
            found.append(Step(part[1:].rpartition(":")[2], is_attribute=True))
        elif step := _STEP.fullmatch(part):
            has_key = step["key"] or ""
            found.append(Step(step["name"], False, bool(step["any"]), has_key, step["value"] or "", bool(step["kind"])))
        else:
            found.append(Step(part))
    return tuple(found)


def at(node: Node, path: tuple[Step, ...]) -> Found | None:
    """The first text at a path that is not blank."""
    if not path:
        return Found(node, node.text) if node.text.strip() else None
    step, rest = path[0], path[1:]
    if step.is_attribute:
        text = node.attribute(step.name)
        return Found(node, text) if text.strip() else None
    for child in node.children:
        if child.name != step.name or not (step.anywhere or child.namespace == node.namespace):
            continue
        if step.key and _value_of(child, step) != step.value:
            continue
        if found := at(child, rest):
            return found
    return None


def _value_of(node: Node, step: Step) -> str:
    if step.by_attribute:
        return node.attribute(step.key.rpartition(":")[2]).strip()
    child = node.child(step.key)
    return child.text.strip() if child is not None else ""


def outline(node: Node) -> str:
    """A transaction in one line, for rejects: its own simple elements."""
    simple = [f"{it.name}={it.text.strip()}" for it in node.children if not it.children and it.text.strip()]
    return " ".join(simple)[:TEXT_CHARACTERS_MAX]
