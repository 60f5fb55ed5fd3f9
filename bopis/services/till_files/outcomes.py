"""Outcomes of baskets that may have been read before. Pure: the journal remembers, this decides."""

from enum import StrEnum

from msgspec import Struct

from bopis.services.till_files.baskets import NetUnits, ReadBasket


class Outcome(StrEnum):
    """Outcome of a basket: `new` is booked, `duplicate` and `empty` change nothing, `changed` is parked until a person
    accepts it, and `waiting` is a change that is parked already."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    WAITING = "waiting"
    EMPTY = "empty"


class Remembered(Struct, frozen=True, kw_only=True):
    """A basket of a source as it is booked, and the fingerprint of a change that waits for acceptance."""

    key: str
    fingerprint: str
    net: tuple[NetUnits, ...]
    waiting: str = ""


def outcome_of(basket: ReadBasket, remembered: Remembered | None) -> Outcome:
    """The outcome of a basket, from what the source's journal remembers under its key."""
    if remembered is None:
        return Outcome.NEW if basket.lines else Outcome.EMPTY
    if basket.fingerprint == remembered.fingerprint:
        return Outcome.DUPLICATE
    return Outcome.WAITING if basket.fingerprint == remembered.waiting else Outcome.CHANGED


def remember(basket: ReadBasket) -> Remembered:
    """The basket as it is remembered once it is booked, or once its change is accepted."""
    return Remembered(key=basket.key, fingerprint=basket.fingerprint, net=basket.net)
