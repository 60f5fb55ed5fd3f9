"""Errors of services. Each docstring is the message.

ServiceError
+-- Implausible         the message is impossible
+-- TooOld              the message is older than the inventory remembers ids
+-- InTheFuture         the message has a time in the future
+-- MessageInvalid      a value exceeds a limit of the message
+-- TextUnclean         a text contains a control character
+-- CardNumberInText    a text contains the number of a payment card
+-- TooManyLines        an order has too many lines
+-- SkuNotInCatalogue   no article has this SKU or GTIN
+-- KitInvalid          a component of a kit is a kit
+-- CustomerInvalid     a contact of the customer is missing or invalid
+-- NoNumberFree        every order number that was tried is taken
+-- KeyReused           an idempotency key was used for another order
+-- MessageParked       the processor could not handle the message
+-- NotDecidedInTime    the message is in the log and was not decided in time
"""

from bopis.errors import CONFLICT, FAILED, INVALID_INPUT, NOT_FOUND, TRY_AGAIN, BopisError


class ServiceError(BopisError):
    """The request cannot be served."""

    exit_code = INVALID_INPUT


class Implausible(ServiceError):
    """Not sent: {cause}. Correct the message and send it again."""


class TooOld(ServiceError):
    """Not sent: {time} is more than {days} days ago, and a repeat of the message would not be recognised. Count the
    shelf now, or send older reports from a device with a sequence."""


class InTheFuture(ServiceError):
    """Not sent: {time} is in the future (now {now}). Correct the time, or omit it to mean now."""


class MessageInvalid(ServiceError):
    """Not sent: {cause}. Correct the value and try again."""


class TextUnclean(ServiceError):
    """Not sent: {problem}."""


class CardNumberInText(ServiceError):
    """Not sent: {field} contains a card number, and card numbers may not be stored. Remove it; a card is named by the
    token of its gateway."""


class TooManyLines(ServiceError):
    """An order has at most {most} lines; this one has {count}. Place it as several orders."""


class SkuNotInCatalogue(ServiceError):
    """{code!r} is neither a SKU nor a GTIN of the catalogue. `bopis catalogue list` lists the articles, `bopis
    catalogue import FILE` adds some."""

    exit_code = NOT_FOUND


class KitInvalid(ServiceError):
    """Kit {kit} has the component {part}, which is a kit itself. List the SKUs that are on the shelf instead."""


class CustomerInvalid(ServiceError):
    """{problem}"""


class NoNumberFree(ServiceError):
    """No order number was free in {tries} tries, which is too many for a coincidence. Check that every checkout uses
    the same master key."""

    exit_code = FAILED


class KeyReused(ServiceError):
    """Key {key!r} was used before for order {order} with other content. Take a new key for a new order."""

    exit_code = CONFLICT


class MessageParked(ServiceError):
    """Not taken: {cause}. The message is a dead letter: `bopis dead-letters show {name}`."""

    exit_code = CONFLICT


class NotDecidedInTime(ServiceError):
    """The message is in the log ({where}), but it was not decided within {seconds:g} s. It will be decided once: do not
    send it again. `bopis status` shows whether its processor runs."""

    exit_code = TRY_AGAIN
