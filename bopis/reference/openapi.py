"""Write the OpenAPI document of the API: ``python -m bopis.reference.openapi docs/openapi.json``.

A document that would break clients of the one that is there is refused; ``--break`` writes it anyway.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bopis.web.api import ENDPOINTS
from bopis.web.compatibility import breaks
from bopis.web.openapi import document


def current() -> dict[str, Any]:
    """The document of the code."""
    made: dict[str, Any] = json.loads(json.dumps(document(ENDPOINTS)))
    return made


def write(file: Path, *, may_break: bool) -> list[str]:
    """Write the document unless it breaks clients of the one in the file; returns how it would break them."""
    made = current()
    found = breaks(json.loads(file.read_text(encoding="utf-8")), made) if file.exists() else []
    if not found or may_break:
        file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    broken = write(Path(sys.argv[1]), may_break="--break" in sys.argv)
    print("\n".join(broken) or f"{sys.argv[1]} is written")
    sys.exit(bool(broken))
