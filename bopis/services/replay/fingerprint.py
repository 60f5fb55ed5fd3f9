"""Fingerprints of replayed files in the data directory: they refuse a reading with other options before it is sent.

Exactness does not depend on them: without a fingerprint, the inventory parks messages that contradict earlier ones.
"""

import os
from pathlib import Path

import msgspec

from bopis.services.replay.baskets import SOURCE_DIGEST_LENGTH
from bopis.services.replay.errors import ReadingChanged

DIRECTORY = "replays"


class ReadingFingerprint(msgspec.Struct, frozen=True):
    """A digest of a file's baskets, and the options with which it was read."""

    content: str
    options: dict[str, str]


def check_reading(data_dir: Path, digest: str, now: ReadingFingerprint) -> None:
    """Store how a file was read. Raises `ReadingChanged` if it had other baskets the last time."""
    file = data_dir / DIRECTORY / f"{digest[:SOURCE_DIGEST_LENGTH]}.json"
    try:
        before = msgspec.json.decode(file.read_bytes(), type=ReadingFingerprint)
    except (OSError, msgspec.MsgspecError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: a killed process leaves no half-written fingerprint.
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
