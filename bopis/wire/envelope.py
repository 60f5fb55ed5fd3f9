"""The CloudEvents 1.0 envelope, and how a family of versioned types is read and written.

Source of the format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md (JSON format). ``type``
is the tag by which one decoder finds the body's type in a single pass; ``seq``, ``actor``, ``correlation`` and
``causation`` are extension attributes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from bopis.domain.message import Message
from bopis.wire.errors import Oversize, Undecodable, UnknownType

MESSAGE_BYTES_MAX = 262_144

_encode = msgspec.json.Encoder().encode

Upcaster = Callable[[Any], Any]


class Envelope(Message, frozen=True, kw_only=True, tag_field="type", tag="bopis.envelope"):
    """A message as it stands on the wire."""

    specversion: Literal["1.0"]


class _Typed(Struct):
    type: str


class Family:
    """A set of message types that share a topic: reads every version, writes the newest of each body.

    ``bodies`` maps the current type names to their bodies, ``old`` earlier names to an earlier body and the
    function that lifts it to the current one.
    """

    def __init__(self, bodies: Mapping[str, type[Struct]], old: Mapping[str, tuple[type[Struct], Upcaster]]) -> None:
        self.bodies = dict(bodies)
        self.old = dict(old)
        read = {**self.bodies, **{name: body for name, (body, _) in old.items()}}
        self.envelopes = {name: _envelope(name, body) for name, body in read.items()}
        self._lift: dict[type[Message], Upcaster] = {self.envelopes[name]: lift for name, (_, lift) in old.items()}
        self._read: Callable[[bytes], Message] = msgspec.json.Decoder(_union(self.envelopes.values())).decode
        self._typed = msgspec.json.Decoder(_Typed)
        self._by_body = {body: self.envelopes[name] for name, body in self.bodies.items()}

    def decode(self, value: bytes) -> Message:
        """The message in the bytes, lifted to the current version of its type.

        Raises `Oversize`, `UnknownType` or `Undecodable`, which says where the bytes break the type.
        """
        if len(value) > MESSAGE_BYTES_MAX:
            raise Oversize(f"{len(value)} bytes, at most {MESSAGE_BYTES_MAX} are allowed")
        try:
            message = self._read(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._explain(value, error) from None
        if type(message) in self._lift:
            return msgspec.structs.replace(message, data=self._lift[type(message)](message.data))
        return message

    def encode(self, message: Message) -> bytes:
        """The bytes of a message under the newest version of its body's type.

        Raises `Undecodable` when a value breaks a limit of its type: what could not be read back is not written.
        """
        value = self.encode_trusted(message)
        self.decode(value)
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
