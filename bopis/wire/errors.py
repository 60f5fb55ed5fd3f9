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
