"""The files of a log in its data directory. Programs that look for a log read these names from here."""

from __future__ import annotations

from typing import Final

# The records and everything else that must survive; SQLite keeps `-wal` and `-shm` beside it while it is open.
LOG_FILE: Final = "log.sqlite3"
# Locked by the process that serves the log; contains its pid.
LOCK_FILE: Final = "broker.lock"
# Where that process listens: a JSON object with pid, host, port and started_at. Removed when it stops.
ADDRESS_FILE: Final = "broker.json"
# Disk space kept back for a start on a full disk.
RESERVE_FILE: Final = "log.reserve"
