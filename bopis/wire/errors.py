"""What can be wrong with bytes from outside."""


class WireError(ValueError):
    """The bytes are not a message this version understands."""


class Undecodable(WireError):
    """The bytes are not a CloudEvents 1.0 JSON envelope with the fields its type asks for."""


class UnknownType(WireError):
    """The message's type or version is not known here; upgrade this processor or correct the sender."""


class Oversize(WireError):
    """The message is larger than a message may be; send the basket in parts."""
