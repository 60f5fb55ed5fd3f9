"""Power cuts without cutting power: what was never synced is taken out of the files again after a kill."""

import io
import os
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("page_loss.c")
HEAD = struct.Struct("<qqq")


class PageLoss:
    """Watches the files below a directory for one process that is started with `environment`."""

    def __init__(self, watch: Path, home: Path) -> None:
        self._watch = watch
        self._undo = home / "undo"
        self._undo.mkdir()
        library = home / "page_loss.so"
        compiler = shutil.which("gcc")
        if compiler is None:
            words = "a C compiler makes the shim that drops un-synced writes: apt-get install gcc libc6-dev"
            if os.environ.get("CI") == "true":
                pytest.fail(words)
            pytest.skip(words)
        flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-D_LARGEFILE64_SOURCE"]
        subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE), "-ldl", "-lpthread"], check=True)
        self.environment = {
            "LD_PRELOAD": str(library),
            "PAGE_LOSS_WATCH": str(watch),
            "PAGE_LOSS_UNDO": str(self._undo),
        }

    def cut(self, chance: random.Random) -> int:
        """Lose what was never synced: all of it, or any part, as a disk may. Returns how many writes were lost."""
        all_of_it = chance.random() < 0.5
        lost = 0
        for undo in self._undo.iterdir():
            place = self._watch / undo.name
            # A file that is gone again needed none of its bytes.
            with place.open("r+b") if place.exists() else io.BytesIO() as file:
                for offset, size, old in reversed(list(_saved(undo))):
                    if all_of_it or chance.random() < 0.5:
                        file.seek(offset)
                        file.write(old)
                        lost += 1
                        if all_of_it:
                            file.truncate(size)
            undo.unlink()
        return lost


def _saved(undo: Path) -> list[tuple[int, int, bytes]]:
    """Offset, size of the file before, and the bytes that were there, oldest first."""
    content, place, found = undo.read_bytes(), 0, []
    while place + HEAD.size <= len(content):
        offset, kept, size = HEAD.unpack_from(content, place)
        place += HEAD.size
        found.append((offset, size, content[place : place + kept]))
        place += kept
    return found
