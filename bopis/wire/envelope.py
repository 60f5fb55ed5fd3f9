"""The CloudEvents 1.0 envelope, and how a family of versioned types is read and written.

Source of the format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md (JSON format). ``type``
is the tag by which one decoder finds the body's type in a single pass; ``seq``, ``actor``, ``correlation`` and
``causation`` are extension attributes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from bopis.domain.message import Message
from bopis.wire.errors import Oversize, Undecodable, UnknownType
from bopis.wire.placement import ANYWHERE, Placement
from bopis.wire.text import clean_message, has_unclean_text, refuse_card_numbers, refuse_unclean

MESSAGE_BYTES_MAX = 262_144

_encode = msgspec.json.Encoder().encode

Upcaster = Callable[[Any], Any]


class Envelope(Message, frozen=True, kw_only=True, tag_field="type", tag="bopis.envelope"):
    """A message in its wire format."""

    specversion: Literal["1.0"]


class _Typed(Struct):
    type: str


class Family:
    """A set of message types that share a topic: reads every version, writes the newest of each body.

    ``bodies`` maps the current type names to their bodies, ``old`` earlier names to an earlier body and the
    function that lifts it to the current one. ``unplaced`` are bodies that a processor writes into its own partition,
    whatever their subject. ``away_from`` are unplaced bodies, each with the subject whose own partition refuses them.
    ``from_outside`` is set for a topic that others write to: its text is checked (`bopis.wire.text`). Events are made
    of messages that were checked.
    """

    def __init__(
        self,
        bodies: Mapping[str, type[Struct]],
        old: Mapping[str, tuple[type[Struct], Upcaster]],
        unplaced: Iterable[type[Struct]] = (),
        away_from: Mapping[type[Struct], Callable[[Any], str]] | None = None,
        from_outside: bool = False,
    ) -> None:
        self.bodies = dict(bodies)
        self._from_outside = from_outside
        self.old = dict(old)
        read = {**self.bodies, **{name: body for name, (body, _) in old.items()}}
        self.envelopes = {name: _envelope(name, body) for name, body in read.items()}
        self._lift: dict[type[Message], Upcaster] = {self.envelopes[name]: lift for name, (_, lift) in old.items()}
        self._read: Callable[[bytes], Message] = msgspec.json.Decoder(_union(self.envelopes.values())).decode
        self._typed = msgspec.json.Decoder(_Typed)
        away = dict(away_from or {})
        bodies_unplaced = frozenset(unplaced) | away.keys()
        self._unplaced = frozenset(self.envelopes[name] for name, body in read.items() if body in bodies_unplaced)
        self._away_from: dict[type[Message], Callable[[Any], str]] = {
            self.envelopes[name]: away[body] for name, body in read.items() if body in away
        }
        self._by_body = {body: self.envelopes[name] for name, body in self.bodies.items()}

    def decode(self, value: bytes) -> Message:
        """The message in the bytes, lifted to the current version of its type.

        Raises `Oversize`, `UnknownType` or `Undecodable`, which names the place where the bytes break the type.
        """
        return self.decode_placed(value, None, ANYWHERE)

    def decode_placed(self, value: bytes, key: bytes | None, placement: Placement) -> Message:
        """As `decode`, for a record of a keyed topic; also raises `Misplaced` when it is in the wrong partition."""
        if len(value) > MESSAGE_BYTES_MAX:
            raise Oversize(f"{len(value)} bytes, at most {MESSAGE_BYTES_MAX} are allowed")
        try:
            message = self._read(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._explain(value, error) from None
        # Most records are ASCII without escapes, so that three quick looks suffice. All that is read passes here.
        if 0x5C in value or 0x7F in value or not value.isascii():
            message = self._cleaned(message, value)
        if type(message) in self._unplaced:
            if (subject_of := self._away_from.get(type(message))) is not None:
                placement.check_elsewhere(subject_of(message.data))
            return message
        if message.subject not in placement.belonging:
            placement.check(message.subject, key)
        if type(message) in self._lift:
            return msgspec.structs.replace(message, data=self._lift[type(message)](message.data))
        return message

    def encode(self, message: Message) -> bytes:
        """The bytes of a message under the newest version of its body's type.

        Raises `Undecodable` when a value breaks a limit of its type, or any text contains a character that text may
        not contain: what could not be read back as it is is not written. Raises `CardNumberFound` for free text with a
        card number.
        """
        try:
            value = self.encode_trusted(message)
        except UnicodeEncodeError:  # half a character, as Python keeps a byte of a command line that is not UTF-8
            refuse_unclean(message)
            raise
        self.decode(value)
        if self._from_outside:
            if has_unclean_text(value):
                refuse_unclean(message)
            refuse_card_numbers(message, value)
        return value

    def encode_trusted(self, message: Message) -> bytes:
        """As `encode`, without reading it back: for messages made of values that were read before."""
        # Field by field: all that is concluded passes here, and asking by name takes four times as long.
        return _encode(
            self._by_body[type(message.data)](
                specversion="1.0",
                id=message.id,
                source=message.source,
                time=message.time,
                subject=message.subject,
                data=message.data,
                seq=message.seq,
                actor=message.actor,
                correlation=message.correlation,
                causation=message.causation,
            )
        )

    def type_name(self, body: type[Struct]) -> str:
        """The current type name of a body."""
        return str(self._by_body[body].__struct_config__.tag)

    def _cleaned(self, message: Message, value: bytes) -> Message:
        """The message with clean free text. Raises `Undecodable` for another text that is not clean."""
        if not (self._from_outside and has_unclean_text(value)):
            return message
        try:
            clean = clean_message(msgspec.to_builtins(message))
            return msgspec.convert(clean.value, type(message)) if clean.changed else message
        except (Undecodable, msgspec.ValidationError) as error:
            raise Undecodable(f"{type(message).__struct_config__.tag}: {error}") from None

    def _explain(self, value: bytes, error: Exception) -> Undecodable | UnknownType:
        try:
            named = self._typed.decode(value).type
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Undecodable(str(error))
        if named not in self.envelopes:
            return UnknownType(f"type {named!r} is not known here")
        return Undecodable(f"{named}: {error}")


def _envelope(name: str, body: type[Struct]) -> type[Envelope]:
    return msgspec.defstruct(  # type: ignore[return-value]  # its annotation does not follow its bases
        body.__name__ + "_" + name.rsplit(".", 1)[-1],
        [("data", body)],
        bases=(Envelope,),
        tag_field="type",
        tag=name,
        frozen=True,
        kw_only=True,
        module=__name__,
    )


def _union(types: Any) -> Any:
    union: Any = None
    for it in types:
        union = it if union is None else union | it
    return union
