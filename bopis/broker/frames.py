"""The frame around each request and response, and the few field types that the hot requests need."""

from __future__ import annotations

import struct
from typing import NamedTuple

from bopis.broker.errors import MalformedFrame

FRAME_LENGTH = struct.Struct(">i")
_FIXED = struct.Struct(">hhih")
_PEEK = struct.Struct(">hh")
_TAGS_MAX = 64


class RequestHeader(NamedTuple):
    """Who asks what, in which version, and where the body starts."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body_at: int


def peek(head: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """The API key and version of a frame of which the first bytes are here."""
    api_key, version = _PEEK.unpack_from(head, at)
    return api_key, version


def read_request_header(frame: memoryview, flexible: bool) -> RequestHeader:
    """The header of a request; the flexible kind ends with tagged fields, which are skipped."""
    try:
        api_key, version, correlation_id, length = _FIXED.unpack_from(frame)
        at = _FIXED.size + max(length, 0)
        if at > len(frame):
            raise MalformedFrame("The client id is cut short.")
        client_id = str(frame[_FIXED.size : at], "utf-8", "replace")
        if flexible:
            at = _skip_tags(frame, at)
    except (struct.error, IndexError) as error:
        raise MalformedFrame("The request header is cut short.") from error
    return RequestHeader(api_key, version, correlation_id, client_id, at)


def _skip_tags(frame: memoryview, at: int) -> int:
    count, at = _small_number(frame, at)
    if count > _TAGS_MAX:
        raise MalformedFrame("The request header has too many tagged fields.")
    for _ in range(count):
        _, at = _small_number(frame, at)
        size, at = _small_number(frame, at)
        at += size
    if at > len(frame):
        raise MalformedFrame("A tagged field is cut short.")
    return at


def _small_number(frame: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedFrame("A number is too long.")


class Cursor:
    """Reads the classic field types one after another; anything cut short is a malformed frame."""

    __slots__ = ("at", "view")

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.at = 0

    def take(self, shape: struct.Struct) -> tuple[int, ...]:
        try:
            values = shape.unpack_from(self.view, self.at)
        except struct.error as error:
            raise MalformedFrame("The request is cut short.") from error
        self.at += shape.size
        return values

    def count(self, least_item_bytes: int) -> int:
        """The length of an array that the rest of the request can hold."""
        (count,) = self.take(FRAME_LENGTH)
        if count * least_item_bytes > len(self.view) - self.at:
            raise MalformedFrame("An array is longer than its request.")
        return max(count, 0)

    def text(self) -> str | None:
        (length,) = self.take(_SHORT)
        if length < 0:
            return None
        try:
            return str(self._slice(length), "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedFrame("A text is not UTF-8.") from error

    def blob(self) -> memoryview:
        (length,) = self.take(FRAME_LENGTH)
        return self._slice(max(length, 0))

    def _slice(self, length: int) -> memoryview:
        end = self.at + length
        if end > len(self.view):
            raise MalformedFrame("A field is longer than its request.")
        part = self.view[self.at : end]
        self.at = end
        return part


_SHORT = struct.Struct(">h")


def pack_text(text: str | None) -> bytes:
    """A nullable string as the classic versions write it."""
    if text is None:
        return b"\xff\xff"
    encoded = text.encode()
    return _SHORT.pack(len(encoded)) + encoded


def framed(correlation_id: int, parts: list[bytes], flexible: bool = False) -> list[bytes]:
    """The response's parts with the frame in front."""
    tags = b"\x00" if flexible else b""
    length = 4 + len(tags) + sum(map(len, parts))
    return [struct.pack(">ii", length, correlation_id) + tags, *parts]
