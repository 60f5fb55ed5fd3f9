"""Errors of commands about notices. Each docstring is the message."""

from bopis.errors import CONFLICT, NOT_FOUND
from bopis.services.errors import ServiceError


class NoNotices(ServiceError):
    """Order {order} has no notices. `bopis notices list` lists orders with notices."""

    exit_code = NOT_FOUND


class NotResent(ServiceError):
    """Not resent: {reason}."""

    exit_code = CONFLICT
