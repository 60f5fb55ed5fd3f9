"""Errors of the publisher for tills. Each docstring is the message.

PublisherError
+-- SourceInvalid    the store or the name of the till cannot be used
+-- MessageRefused   the message can never be booked
+-- BasketChanged    the basket was published before with other content
+-- NotDelivered     the log has not acknowledged it in time
"""

from bopis.errors import CONFLICT, INVALID_INPUT, TRY_AGAIN, BopisError


class PublisherError(BopisError):
    """The sale was not published."""


class SourceInvalid(PublisherError):
    """{what} {value!r} cannot be used: {cause}. Give the id of the store, and one lasting name per till."""

    exit_code = INVALID_INPUT


class MessageRefused(PublisherError):
    """The message {id!r} can never be booked: {cause}. Nothing was published; correct it, and publish it again."""

    exit_code = INVALID_INPUT


class BasketChanged(PublisherError):
    """The message {id!r} was published before with other content. Nothing was published; a correction of a basket is a
    message with an id of its own and the difference as its lines."""

    exit_code = CONFLICT


class NotDelivered(PublisherError):
    """The log has not acknowledged {count} messages within {seconds} s ({cause}). With a spool they are on this
    machine's disk and are sent later; without one, publish them again under the same ids: a repeat counts once."""

    exit_code = TRY_AGAIN
