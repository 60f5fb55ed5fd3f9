"""Write the JSON Schema of every message type: ``python -m bopis.reference.schemas FOLDER``."""

import json
import sys
from pathlib import Path

from bopis.wire.schema import schemas


def write(folder: Path) -> int:
    """Write one file per type; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for name, schema in made.items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")
    return len(made)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(f"{write(target)} schemas written to {target}")
