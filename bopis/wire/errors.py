"""Errors of reading messages from the log."""


class WireError(ValueError):
    """The bytes are not a message this version understands."""


class Undecodable(WireError):
    """The bytes are not a CloudEvents 1.0 JSON envelope with the fields its type asks for."""


class UnknownType(WireError):
    """The message's type or version is not known here; upgrade this processor or correct the sender."""


class Misplaced(WireError):
    """The record is in another partition than the one its subject belongs in; correct the sender's key or partitioner,
    then send it again."""


class Oversize(WireError):
    """The message is larger than a message may be; send the basket in parts."""


class CardNumberFound(WireError):
    """A text contains a number that can be a payment card's; remove it, and name the card by its token. ``field`` names
    the text; its digits are nowhere in the error."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} contains a card number")
        self.field = field
