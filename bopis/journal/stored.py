"""Stored forms of baskets in a journal: the units of the booked version, and the messages of a changed one."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from bopis.domain.inventory.messages import Condition
from bopis.domain.inventory.outcomes import NetUnits, Remembered
from bopis.domain.message import Message
from bopis.journal.entries import Basket
from bopis.wire.stock import STOCK

SEPARATOR = b"\n"  # a message in JSON has none

_encode = msgspec.json.Encoder().encode
_units = msgspec.json.Decoder(dict[str, int] | list[NetUnits] | None).decode


class _Emptied(Struct, frozen=True, kw_only=True, tag_field="type", tag="emptied"):
    """A version of a basket without goods, which no message can say."""

    number: str
    time: datetime


_emptied = msgspec.json.Decoder(_Emptied).decode
_EMPTIED_MARK = b'{"type":"emptied"'


class Row(NamedTuple):
    """The columns of a booked basket: its fingerprint, the type of its messages, and its units."""

    fingerprint: bytes
    kind: str
    units: bytes


def encoded_net(net: Sequence[NetUnits] | None) -> bytes:
    """The units of a basket: the change of on hand by SKU; a list where some have another condition than sellable."""
    if net is None or any(it.condition is not Condition.SELLABLE for it in net):
        return _encode(net)
    return _encode({it.sku: -it.units for it in net})


def remembered(row: Row) -> Remembered:
    """The booked version of a basket."""
    fingerprint, kind, units = row
    found = _units(units)
    if isinstance(found, dict):
        found = [NetUnits(sku=sku, condition=Condition.SELLABLE, units=-change) for sku, change in found.items()]
    return Remembered(fingerprint=fingerprint, kind=kind, net=None if found is None else tuple(found))


def encoded_versions(basket: Basket, messages: Sequence[bytes]) -> bytes:
    """A changed basket: its messages, or that it has none."""
    return SEPARATOR.join(messages) or _encode(_Emptied(number=basket.basket, time=basket.time))


def changed_version(key: str, fingerprint: bytes, place: str, value: bytes) -> Basket:
    """The basket that a value of `encoded_versions` has."""
    if value.startswith(_EMPTIED_MARK):
        emptied = _emptied(value)
        return Basket(
            key=key, fingerprint=fingerprint, bodies=(), time=emptied.time, place=place, number=emptied.number
        )
    messages: list[Message] = [STOCK.decode(it) for it in value.split(SEPARATOR)]
    return Basket(
        key=key,
        fingerprint=fingerprint,
        bodies=tuple(it.data for it in messages),
        time=messages[0].time,
        place=place,
        actor=messages[0].actor or "",
    )
