"""The file of an export: opened, unpacked, and named by what is in it."""

import codecs
import gzip
import hashlib
import io
import lzma
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from bopis.services.replay.errors import ExportUnreadable, OptionBroken

STANDARD_INPUT = "-"
LINE_CHARACTERS_MAX = 131_072  # what the csv module takes for one field
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_NEWLINES = "\r\n"


class Export:
    """One till export, which may be read more than once.

    ``digest`` is that of the unpacked bytes, known once they were read to the end: the same lines packed in
    another way are the same export. Standard input is first kept in a temporary file without a name, which
    goes with the process however it ends.
    """

    def __init__(self, name: str, encoding: str) -> None:
        self.name = "standard input" if name == STANDARD_INPUT else name
        self.encoding = _known(encoding)
        self.digest = ""
        self._path = Path(name)
        self._spooled = _spooled(sys.stdin.buffer) if name == STANDARD_INPUT else None
        self._packed: IO[bytes] | None = None

    @property
    def size_bytes(self) -> int:
        """Size as it lies there, packed or not."""
        try:
            return os.fstat(self._spooled.fileno()).st_size if self._spooled else self._path.stat().st_size
        except OSError as error:
            raise ExportUnreadable(name=self.name, cause=error.strerror) from error

    @property
    def read_bytes(self) -> int:
        """How much of `size_bytes` the reading under way has taken."""
        return self._packed.tell() if self._packed and not self._packed.closed else 0

    def lines(self) -> Iterator[str]:
        """Every line with its end, in order; of one longer than the limit comes no more than that.

        Bytes that the encoding does not know come as lone surrogates, so that one bad row spoils no other.
        """
        digest = hashlib.sha256()
        with self.open() as packed:
            self._packed = packed
            unpacked = _Hashing(_unpacked(packed), digest)
            text = io.TextIOWrapper(
                io.BufferedReader(unpacked, 1 << 18), self.encoding, errors="surrogateescape", newline=""
            )
            try:
                while line := text.readline(LINE_CHARACTERS_MAX):
                    yield line
                    rest = line
                    while not complete(rest) and rest:
                        rest = text.readline(LINE_CHARACTERS_MAX)
            except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as error:
                raise ExportUnreadable(name=self.name, cause=error) from error
        self.digest = digest.hexdigest()

    def close(self) -> None:
        if self._spooled is not None:
            self._spooled.close()

    def open(self) -> IO[bytes]:
        """The file from its beginning, as it lies there."""
        if self._spooled is not None:
            self._spooled.seek(0)
            return os.fdopen(os.dup(self._spooled.fileno()), "rb")
        try:
            return self._path.open("rb")
        except OSError as error:
            raise ExportUnreadable(name=self.name, cause=error.strerror) from error


class _Hashing(io.RawIOBase):
    """Takes the digest of what is read through it."""

    def __init__(self, source: BinaryIO, digest: "hashlib._Hash") -> None:
        self._source = source
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than typeshed's Buffer
        taken = self._source.read(len(buffer))
        buffer[: len(taken)] = taken
        self._digest.update(taken)
        return len(taken)


def complete(line: str) -> bool:
    """Whether a line of `Export.lines` is a whole one."""
    return len(line) < LINE_CHARACTERS_MAX or line[-1] in _NEWLINES


def _unpacked(packed: IO[bytes]) -> BinaryIO:
    head = packed.read(len(_XZ_MAGIC))
    packed.seek(0)
    if head.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, gzip.GzipFile(fileobj=packed))
    if head == _XZ_MAGIC:
        return cast(BinaryIO, lzma.LZMAFile(packed))
    return cast(BinaryIO, packed)


def _spooled(source: BinaryIO) -> IO[bytes]:
    kept = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the export)
    shutil.copyfileobj(source, kept, 1 << 20)
    return kept


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)  # unlike a look-up, this refuses what is a codec, but not of text
        return codecs.lookup(encoding).name
    except LookupError:
        raise OptionBroken(option="--encoding", value=encoding, cause="no such encoding, e.g. latin-1") from None
