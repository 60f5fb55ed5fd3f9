"""What a service may refuse. Each docstring is the message and says what to do next.

ServiceError
+-- Implausible     the message cannot be true as it stands
+-- TooOld          a person's message is older than its repeats can be told
+-- InTheFuture     a person tells of a time that has not come
+-- MessageBroken   a value breaks a limit of the message
+-- SkuNotInCatalogue   what was typed or scanned is no article
+-- KitUnsound      a kit is made of a kit
+-- CustomerBroken  what was told of a customer cannot be used
+-- NoNumberFree    every order number that was tried is taken
+-- KeyUsed         an idempotency key stands for another order
"""

from typing import ClassVar


class ServiceError(Exception):
    """What was asked for cannot be done as it stands."""

    exit_code: ClassVar[int] = 5

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class Implausible(ServiceError):
    """Not sent: {cause}."""


class TooOld(ServiceError):
    """Not sent: {time} is more than {days} days ago, and a repeat of the message could not be told from it. Count
    the shelf now, or send older facts from a device with a sequence."""


class InTheFuture(ServiceError):
    """Not sent: {time} has not come yet, it is {now} now. Correct the time, or leave it out to mean now."""


class MessageBroken(ServiceError):
    """Not sent: {cause}. Correct the value and try again."""


class SkuNotInCatalogue(ServiceError):
    """{code!r} is neither a SKU nor a GTIN of the catalogue. `bopis catalogue list` names what is in it, `bopis
    catalogue import FILE` adds some."""

    exit_code = 3


class KitUnsound(ServiceError):
    """Kit {kit} has {part} as a component, which is a kit itself. Name what stands on the shelf instead."""


class CustomerBroken(ServiceError):
    """{problem}"""


class NoNumberFree(ServiceError):
    """No order number was free in {tries} tries, which chance does not explain. Check that every checkout uses the
    same master key."""

    exit_code = 1


class KeyUsed(ServiceError):
    """Key {key!r} was used before for order {order} with other content. Take a new key for a new order."""

    exit_code = 4
