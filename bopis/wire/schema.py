"""JSON Schema of every type on the wire, generated from the code: ``python -m bopis.wire.schema``."""

import json
from pathlib import Path
from typing import Any

import msgspec

from bopis.wire.stock import INVENTORY_EVENTS, STOCK

SCHEMA_DIR = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (draft 2020-12) of each type's whole message, by type name."""
    made = {}
    for family in (STOCK, INVENTORY_EVENTS):
        for name, envelope in family.envelopes.items():
            schema = msgspec.json.schema(envelope)
            made[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **schema}
    plain: dict[str, dict[str, Any]] = json.loads(json.dumps(made))
    return plain


def write(folder: Path) -> int:
    """Write one file per type; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for name, schema in made.items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")
    return len(made)


if __name__ == "__main__":
    print(f"{write(SCHEMA_DIR)} schemas written to {SCHEMA_DIR}")
