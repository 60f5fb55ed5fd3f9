"""The file of a table: opened, unpacked, its encoding found, and identified by a digest of its content."""

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

from bopis.tables.errors import EncodingUnknown, TableNotOpened, TableUnreadable

STANDARD_INPUT = "-"
LINE_CHARACTERS_MAX = 131_072  # the csv module's limit for one field
HEAD_BYTES = 8_192
UTF_8 = "utf-8-sig"
WINDOWS_1252 = "cp1252"
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_NEWLINES = "\r\n"
_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNPACKING_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)


class TableFile:
    """One file of rows, which may be read more than once.

    `encoding` is the one given, else UTF-8 or what a byte order mark or the pattern of NULs says. `digest` is the
    SHA-256 of the unpacked bytes, known after they were read to the end: equal lines in another packing are the same
    file. Standard input is first copied to an unnamed temporary file, which disappears with the process.
    """

    def __init__(self, name: str, encoding: str | None = None) -> None:
        self.name = "standard input" if name == STANDARD_INPUT else name
        self.suffix = "" if name == STANDARD_INPUT else Path(name).suffix.lower()
        self.digest = ""
        self._given = None if encoding is None else _known(encoding)
        self._found = ""
        self._path = Path(name)
        self._spooled = _spooled(sys.stdin.buffer) if name == STANDARD_INPUT else None
        self._packed: IO[bytes] | None = None

    @property
    def path(self) -> Path:
        """The path of the file. Raises `TableNotOpened` for standard input, which has none."""
        if self._spooled is not None:
            raise TableNotOpened(name=self.name, cause="it can be read only once; save it to a file")
        return self._path

    @property
    def encoding(self) -> str:
        """The encoding of the text. Raises `TableUnreadable` when the file cannot be opened."""
        if self._given is not None:
            return self._given
        self._found = self._found or encoding_of(self.head())
        return self._found

    @property
    def size_bytes(self) -> int:
        """Size of the file as it is, packed or not."""
        try:
            return os.fstat(self._spooled.fileno()).st_size if self._spooled else self._path.stat().st_size
        except OSError as error:
            raise TableNotOpened(name=self.name, cause=error.strerror) from error

    @property
    def read_bytes(self) -> int:
        """The part of `size_bytes` that the current reading has read."""
        return self._packed.tell() if self._packed and not self._packed.closed else 0

    def head(self) -> bytes:
        """The first bytes of the content, unpacked. Raises `TableUnreadable`."""
        with self.open() as packed:
            try:
                return _unpacked(packed).read(HEAD_BYTES)
            except _UNPACKING_ERRORS as error:
                raise TableUnreadable(name=self.name, cause=error) from error

    def settle_encoding(self) -> bool:
        """Take Windows-1252 for a file whose bytes are not all UTF-8, unless an encoding was given or is marked.

        Reads the whole file. Returns whether it is taken. Raises `TableUnreadable`.
        """
        if self._given is not None or self.encoding != UTF_8:
            return False
        decoder = codecs.getincrementaldecoder(UTF_8)()
        try:
            for block in self.blocks():
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self._found = WINDOWS_1252
        return self._found == WINDOWS_1252

    def blocks(self) -> Iterator[bytes]:
        """The unpacked bytes in order; sets `digest` at their end. Raises `TableUnreadable`."""
        digest = hashlib.sha256()
        with self.open() as packed:
            self._packed = packed
            unpacked = _unpacked(packed)
            try:
                while block := unpacked.read(1 << 18):
                    digest.update(block)
                    yield block
            except _UNPACKING_ERRORS as error:
                raise TableUnreadable(name=self.name, cause=error) from error
        self.digest = digest.hexdigest()

    def lines(self) -> Iterator[str]:
        """Every line with its end, in order, cut off at the limit of a line. Raises `TableUnreadable`.

        Bytes that are invalid in the encoding become lone surrogates, so that one bad row does not end the reading.
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
            except UnicodeError as error:
                cause = f"its bytes are not {self.encoding.upper()}"
                raise TableUnreadable(name=self.name, cause=cause) from error
            except _UNPACKING_ERRORS as error:
                raise TableUnreadable(name=self.name, cause=error) from error
        self.digest = digest.hexdigest()

    def close(self) -> None:
        """End a reading that was not read to its end, and drop the copy of standard input."""
        if self._packed is not None:
            self._packed.close()
        if self._spooled is not None:
            self._spooled.close()

    def open(self) -> IO[bytes]:
        """The file from its first byte, packed or not. Raises `TableNotOpened`."""
        if self._spooled is not None:
            self._spooled.seek(0)
            return os.fdopen(os.dup(self._spooled.fileno()), "rb")
        try:
            return self._path.open("rb")
        except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
            raise TableNotOpened(name=self.name, cause=getattr(error, "strerror", None) or error) from error


class _Hashing(io.RawIOBase):
    """Updates a digest with every byte that is read through it."""

    def __init__(self, source: BinaryIO, digest: "hashlib._Hash") -> None:
        self._source = source
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than typeshed's Buffer
        read = self._source.read(len(buffer))
        buffer[: len(read)] = read
        self._digest.update(read)
        return len(read)


def encoding_of(head: bytes) -> str:
    """The encoding of a text by its first bytes: a byte order mark, else the places of its NULs, else UTF-8."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # Western text in UTF-16 has a NUL in nearly every pair of bytes, always on the same side.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 > len(head) and min(even, odd) * 16 < len(head):
        return "utf-16-le" if odd > even else "utf-16-be"
    return UTF_8


def complete(line: str) -> bool:
    """Whether a line of `TableFile.lines` was not cut off."""
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
    kept = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the table)
    shutil.copyfileobj(source, kept, 1 << 20)
    return kept


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)  # unlike a look-up, this refuses codecs that are not text encodings
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise EncodingUnknown(encoding=encoding) from None
