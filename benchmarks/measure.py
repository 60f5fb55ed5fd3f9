"""Common parts of benchmark reports: the machine, the versions, medians, and the output."""

import json
import os
import platform
import statistics
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine_line() -> str:
    """Processor, cores, kernel and Python of this machine, in one line."""
    model = platform.processor() or "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution."""
    return {name: version(name) for name in distributions}


def median(values: Iterable[float]) -> float:
    """Median of several runs."""
    return statistics.median(values)


def report(document: dict[str, Any], as_json: bool) -> None:
    """Print the result, as one JSON document or as indented lines."""
    if as_json:
        print(json.dumps(document))
        return
    _lines(document, 0)


def _lines(document: dict[str, Any], depth: int) -> None:
    for name, value in document.items():
        if isinstance(value, dict):
            print("  " * depth + f"{name}:")
            _lines(value, depth + 1)
        else:
            shown = f"{value:,.2f}" if isinstance(value, float) else value
            print("  " * depth + f"{name}: {shown}")
