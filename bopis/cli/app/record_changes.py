"""The changes that an import makes to records, field by field."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from bopis.cli.app.render import counted

NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
RECORDS_SHOWN_MAX = 100
EMPTY = "-"


class FieldChange(Struct, frozen=True):
    """One field of a record, and its values before and after."""

    field: str
    old: Any
    new: Any


class RecordChange(Struct, frozen=True):
    """One record of an import: new, changed or unchanged, with the fields that change."""

    key: str
    change: str
    fields: tuple[FieldChange, ...]


class ImportSummary(NamedTuple):
    """The records of an import, what they are called, and the source of their rows."""

    changes: list[RecordChange]
    noun: str
    source: str
    dry_run: bool

    @property
    def document(self) -> dict[str, Any]:
        """The numbers of new, changed and unchanged records; for a dry run also the changes."""
        found = Counter(it.change for it in self.changes)
        numbers: dict[str, Any] = {
            "imported": 0 if self.dry_run else len(self.changes),
            "dry_run": self.dry_run,
            **{kind: found[kind] for kind in (NEW, CHANGED, UNCHANGED)},
        }
        return numbers | ({"changes": self.changes} if self.dry_run else {})

    def lines(self, rest: str) -> list[str]:
        """The import in words; `rest` ends its last sentence."""
        found = Counter(it.change for it in self.changes)
        kinds = ", ".join(f"{found[kind]:,} {kind}" for kind in (NEW, CHANGED, UNCHANGED) if found[kind])
        count = counted(len(self.changes), self.noun)
        if not self.dry_run:
            return [f"Imported {count} from {self.source} ({kinds or 'none'}){rest}"]
        shown = [it for it in self.changes if it.change != UNCHANGED]
        more = (
            [f"... and {len(shown) - RECORDS_SHOWN_MAX:,} more; --json lists all"]
            if len(shown) > RECORDS_SHOWN_MAX
            else []
        )
        return [
            *map(change_text, shown[:RECORDS_SHOWN_MAX]),
            *more,
            f"Would import {count} from {self.source} ({kinds or 'none'}){rest}. Nothing was changed.",
        ]


def record_change(key: str, known: Struct | None, new: Struct) -> RecordChange:
    """The change from a known record to a new one; of a new record, the fields that differ from an empty one."""
    old = fields_of(known) if known is not None else {}
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(new))}
    changed = tuple(
        FieldChange(name, old.get(name), value)
        for name, value in fields_of(new).items()
        if value != (old[name] if known is not None else defaults[name])
    )
    return RecordChange(key, (CHANGED if changed else UNCHANGED) if known is not None else NEW, changed)


def fields_of(record: Struct) -> Mapping[str, Any]:
    """The fields of a record by name."""
    return msgspec.structs.asdict(record)


def change_text(change: RecordChange) -> str:
    """A change in words: ``S1: cost 0 -> 5``."""
    fields = ", ".join(
        f"{it.field} {value_text(it.new)}"
        if change.change == NEW
        else f"{it.field} {value_text(it.old)} -> {value_text(it.new)}"
        for it in change.fields
    )
    return f"{change.key}: {'new: ' if change.change == NEW else ''}{fields}"


def value_text(value: Any) -> str:
    """A value as it is written in a file."""
    match value:
        case None | "" | ():
            return EMPTY
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return "; ".join(map(value_text, value))
        case Struct():
            return "*".join(map(str, fields_of(value).values()))
        case _:
            return str(value)
