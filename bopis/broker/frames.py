"""The frame around each request and response, and the field types that the two hot requests need.

Layouts: https://kafka.apache.org/protocol (request header v1 and v2, response header v0 and v1).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bopis.broker.errors import MalformedFrame

FRAME_LENGTH = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_HEADER_START = struct.Struct(">hhih")
_API_AND_VERSION = struct.Struct(">hh")
_RESPONSE_START = struct.Struct(">ii")
_TAGS_MAX = 64
_VARINT_BITS_MAX = 35
_NULL_TEXT = b"\xff\xff"
_NO_TAGS = b"\x00"


class RequestHeader(NamedTuple):
    """The header of a request, and the offset of its body in the frame."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body_at: int


class ApiVersion(NamedTuple):
    """A kind of request and its version."""

    key: int
    version: int


def peek_api(head: bytes | bytearray | memoryview, at: int) -> ApiVersion:
    """The API key and version of a frame whose first bytes start at `at`."""
    return ApiVersion._make(_API_AND_VERSION.unpack_from(head, at))


def read_request_header(frame: memoryview, flexible: bool) -> RequestHeader:
    """The header of a request; the tagged fields of the flexible form are skipped. Raises `MalformedFrame`."""
    try:
        api_key, version, correlation_id, length = _HEADER_START.unpack_from(frame)
        at = _HEADER_START.size + max(length, 0)
        if at > len(frame):
            raise MalformedFrame("The client id is cut short.")
        client_id = str(frame[_HEADER_START.size : at], "utf-8", "replace")
        if flexible:
            at = _skip_tags(frame, at)
    except (struct.error, IndexError) as error:
        raise MalformedFrame("The request header is cut short.") from error
    return RequestHeader(api_key, version, correlation_id, client_id, at)


def _skip_tags(frame: memoryview, at: int) -> int:
    count, at = _unsigned_varint(frame, at)
    if count > _TAGS_MAX:
        raise MalformedFrame("The request header has too many tagged fields.")
    for _ in range(count):
        _, at = _unsigned_varint(frame, at)
        size, at = _unsigned_varint(frame, at)
        at += size
    if at > len(frame):
        raise MalformedFrame("A tagged field is cut short.")
    return at


def _unsigned_varint(frame: memoryview, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset after it."""
    value = 0
    for shift in range(0, _VARINT_BITS_MAX, 7):
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedFrame("A number is too long.")


class FieldReader:
    """Reads the classic field types one after another. Each method raises `MalformedFrame` for a field cut short."""

    __slots__ = ("at", "view")

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.at = 0

    def take(self, shape: struct.Struct) -> tuple[int, ...]:
        """Fields of fixed size."""
        try:
            values = shape.unpack_from(self.view, self.at)
        except struct.error as error:
            raise MalformedFrame("The request is cut short.") from error
        self.at += shape.size
        return values

    def count(self, item_bytes_min: int) -> int:
        """The length of an array; refused when the rest of the request could not contain its items."""
        (count,) = self.take(FRAME_LENGTH)
        # Checked before anything is allocated: the length is the client's word only.
        if count * item_bytes_min > len(self.view) - self.at:
            raise MalformedFrame("An array is longer than its request.")
        return max(count, 0)

    def text(self) -> str | None:
        """A nullable string."""
        (length,) = self.take(_SHORT)
        if length < 0:
            return None
        try:
            return str(self._slice(length), "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedFrame("A text is not UTF-8.") from error

    def blob(self) -> memoryview:
        """Nullable bytes, empty for null; not copied."""
        (length,) = self.take(FRAME_LENGTH)
        return self._slice(max(length, 0))

    def _slice(self, length: int) -> memoryview:
        end = self.at + length
        if end > len(self.view):
            raise MalformedFrame("A field is longer than its request.")
        part = self.view[self.at : end]
        self.at = end
        return part


def pack_text(text: str | None) -> bytes:
    """A nullable string as the classic versions encode it."""
    if text is None:
        return _NULL_TEXT
    encoded = text.encode()
    return _SHORT.pack(len(encoded)) + encoded


def frame_response(correlation_id: int, parts: list[bytes], flexible: bool = False) -> list[bytes]:
    """The parts of a response with its frame and header in front."""
    tags = _NO_TAGS if flexible else b""
    length = FRAME_LENGTH.size + len(tags) + sum(map(len, parts))
    return [_RESPONSE_START.pack(length, correlation_id) + tags, *parts]
