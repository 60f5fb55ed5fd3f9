"""Check of a till's messages before they are sent: types, limits, sequences, and the partition of each store."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from bopis.domain.inventory.admission import Rejected, check_plausible
from bopis.domain.values import epoch_ms
from bopis.services.dead_letters import DeadLetter
from bopis.wire.errors import WireError
from bopis.wire.placement import partition_of
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

_BOM = b"\xef\xbb\xbf"


class _Sent(Struct):
    source: str = ""


_decode_sent = msgspec.json.Decoder(_Sent).decode


class CheckedMessage(Struct, frozen=True, kw_only=True):
    """One message of a file: its line, and its problem, or its type, store and partition."""

    line: int
    problem: str = ""
    type: str = ""
    store: str = ""
    partition: int = 0


def split_messages(content: bytes) -> list[tuple[int, bytes]]:
    """Line and bytes of each message in a file: one JSON object, on several lines too, or one object per line."""
    text = content.removeprefix(_BOM)
    try:
        msgspec.json.decode(text, type=dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        numbered = enumerate(text.splitlines(), start=1)
        lines = [(number, line) for number, line in numbered if line.strip()]
        # Broken JSON over several lines is one message, unless each line begins as an object of its own.
        if len(lines) > 1 and not all(line.lstrip().startswith(b"{") for _, line in lines):
            return [(1, text)]
        return lines
    return [(1, text)]


def check_messages(messages: Iterable[tuple[int, bytes]], partitions: int, now_ms: int) -> list[CheckedMessage]:
    """Every message checked as the inventory would read it now. A number that is given twice is a problem of the
    second."""
    seen: dict[tuple[str, int], tuple[int, bytes]] = {}
    return [_checked(line, value, partitions, now_ms, seen) for line, value in messages]


def sequence_notes(messages: Iterable[tuple[int, bytes]]) -> list[str]:
    """A sentence for each source whose valid messages have no numbers, or numbers with holes between them."""
    numbers: dict[str, set[int]] = {}
    unnumbered: dict[str, int] = {}
    for _, value in messages:
        try:
            message = STOCK.decode(value)
        except WireError:
            continue
        if isinstance(message.seq, int):
            numbers.setdefault(message.source, set()).add(message.seq)
        else:
            unnumbered[message.source] = unnumbered.get(message.source, 0) + 1
    lost = "without seq; a lost one would not be noticed"
    notes = [f"{source}: {count} {lost}" for source, count in sorted(unnumbered.items())]
    for source, found in sorted(numbers.items()):
        missing = max(found) - min(found) + 1 - len(found)
        if missing:
            notes.append(f"{source}: seq {min(found)} to {max(found)} lacks {missing}")
    return notes


def refusals_of(letters: Iterable[DeadLetter], source: str, limit: int) -> list[DeadLetter]:
    """The newest dead letters whose message names a source, the newest first. A store agent, or the spool of a till,
    adds the name of its journal to the till's name."""
    newest = sorted(letters, key=lambda it: -it.parked_ms)
    return [it for it in newest if (name := sender(it)) == source or name.startswith(f"{source}/")][:limit]


def sender(letter: DeadLetter) -> str:
    """The source that a parked message names; empty if it cannot be read."""
    try:
        return _decode_sent(letter.value).source
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _checked(
    line: int, value: bytes, partitions: int, now_ms: int, seen: dict[tuple[str, int], tuple[int, bytes]]
) -> CheckedMessage:
    try:
        message = STOCK.decode(value)
    except WireError as error:
        return CheckedMessage(line=line, problem=explained(str(error)))
    if isinstance(message.seq, int):
        first = seen.setdefault((message.source, message.seq), (line, value.strip()))
        if first[1] != value.strip():
            problem = f"seq {message.seq} of {message.source} has other content in line {first[0]}"
            return CheckedMessage(line=line, problem=problem)
    try:
        check_plausible(message, epoch_ms(message.time), now_ms)
    except Rejected as error:
        return CheckedMessage(line=line, problem=str(error))
    return CheckedMessage(
        line=line,
        type=STOCK.type_name(type(message.data)),
        store=message.subject,
        partition=partition_of(message.subject.encode(), partitions),
    )
