"""Messages in the format of the log, as a till or a program writes them: one JSON object per line."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.values import ID_LENGTH_MAX
from bopis.journal.entries import Basket, Found, Reject, fingerprint_of
from bopis.wire.characters import unclean
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.errors import WireError
from bopis.wire.ingest import REPORTS_OF_STORES
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

BOM = b"\xef\xbb\xbf"


class _Sent(Struct):
    source: str = ""
    id: str = ""


_decode_sent = msgspec.json.Decoder(_Sent).decode


class SentMessage(NamedTuple):
    """One message, or why it cannot be booked, with the source and id that it names itself; empty if unreadable."""

    source: str
    id: str
    found: Found


def read_message(value: bytes, store: str, place: str) -> SentMessage:
    """One message of a store. Its key is its id: ids are unique within a source."""
    try:
        message = STOCK.decode(value)
    except WireError as error:
        sent = _sent(value)
        reject = Reject(place=place, cause=explained(str(error)), content=value, key=sent.id)
        return SentMessage(sent.source, sent.id, reject)
    problem = ""
    if not isinstance(message.data, REPORTS_OF_STORES):
        problem = f"{STOCK.type_name(type(message.data))} is no report of a store"
    elif message.subject != store:
        problem = f"the message is about store {message.subject}, and this agent is store {store}'s"
    reject = Reject(place=place, cause=problem, content=value, key=message.id)
    found = reject if problem else _basket(message, place)
    return SentMessage(message.source, message.id, found)


class ByteSource(Protocol):
    """A file that is open for reading bytes."""

    def readline(self, size: int = -1, /) -> bytes: ...


class OwnMessages:
    """Reads files of messages, one per line; implements `bopis.journal.entries.Reader`.

    A file may have messages of several tills, so the key of each is its source and id. The last line counts without a
    line end, too: the file is complete.
    """

    def __init__(self, store: str) -> None:
        self._store = store

    def __call__(self, path: Path, name: str) -> Iterator[Found]:
        with path.open("rb") as file:
            yield from self.read(file, name)

    def read(self, content: ByteSource, name: str) -> Iterator[Found]:
        """The records of a file that is open."""
        number = 0
        while line := content.readline(MESSAGE_BYTES_MAX + 1):
            number += 1
            place = f"{name}:{number}"
            if len(line) > MESSAGE_BYTES_MAX and not line.endswith(b"\n"):
                while (rest := content.readline(MESSAGE_BYTES_MAX)) and not rest.endswith(b"\n"):
                    pass
                yield Reject(place=place, cause=f"the line has more than {MESSAGE_BYTES_MAX} bytes", content=line)
                continue
            value = (line.removeprefix(BOM) if number == 1 else line).strip()
            if value:
                yield read_message_of_file(value, self._store, place)


def read_message_of_file(value: bytes, store: str, place: str) -> Found:
    """One message in a file of several tills: its key is its source and id."""
    sent = read_message(value, store, place)
    if isinstance(sent.found, Basket):
        return msgspec.structs.replace(sent.found, key=f"{sent.source}/{sent.id}")
    return sent.found


def _basket(message: Message, place: str) -> Basket:
    return Basket(
        key=message.id,
        fingerprint=fingerprint_of(message.data, message.time),
        bodies=(message.data,),
        time=message.time,
        place=place,
        actor=message.actor or "",
    )


def _sent(value: bytes) -> _Sent:
    try:
        sent = _decode_sent(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Sent()
    names = (sent.source, sent.id)
    # A name that no message may have is none.
    return _Sent() if any(len(it) > ID_LENGTH_MAX or unclean(it) for it in names) else sent
