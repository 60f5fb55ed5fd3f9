"""Where the value of a setting comes from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def source_of(flags: Mapping[str, Any], name: str) -> str:
    """``flag``, the variable or the file that holds it, or ``default``."""
    import tomllib

    from bopis.settings import FILE_NAME

    if name in flags:
        return "flag"
    variable = f"BOPIS_{name.upper()}"
    if any(key.upper() == variable for key in os.environ):
        return f"environment {variable}"
    file = Path(FILE_NAME)
    if file.is_file() and name in tomllib.loads(file.read_text(encoding="utf-8")):
        return f"file {file.resolve()}"
    return "default"
