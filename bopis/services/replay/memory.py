"""What a data directory remembers of a replayed file, so that another reading of it is told before it does harm.

Nothing that must be exact rests on it: without it, contradicting messages are parked by the inventory.
"""

import os
from pathlib import Path

import msgspec

from bopis.services.replay.baskets import SOURCE_DIGEST_LENGTH
from bopis.services.replay.errors import ReadingChanged

DIRECTORY = "replays"


class Remembered(msgspec.Struct, frozen=True):
    """What a file came to, and the options it was read with."""

    content: str
    options: dict[str, str]


def remember(data_dir: Path, digest: str, now: Remembered) -> None:
    """Note how a file was read. Raises `ReadingChanged` if it came to other baskets the last time."""
    file = data_dir / DIRECTORY / f"{digest[:SOURCE_DIGEST_LENGTH]}.json"
    try:
        before = msgspec.json.decode(file.read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(now))
        fresh.replace(file)
        return
    if before.content == now.content:
        return
    names = sorted(before.options.keys() | now.options.keys())
    changed = [
        f"{name} was {before.options.get(name) or 'not given'}, is {now.options.get(name) or 'not given'}"
        for name in names
        if before.options.get(name) != now.options.get(name)
    ]
    raise ReadingChanged(changed="; ".join(changed) or "by another version of bopis")
