"""Log lines of the agent: one JSON object per event on standard error.

The process has to stay small, so it uses no logging library; the lines look like those of the other processes.
"""

import json
import sys
from datetime import UTC, datetime


def write(event: str, level: str = "info", **facts: object) -> None:
    """Write one line: the event's stable name, and its facts."""
    line = {**facts, "event": event, "level": level, "timestamp": datetime.now(UTC).isoformat()}
    print(json.dumps(line, default=str), file=sys.stderr, flush=True)
