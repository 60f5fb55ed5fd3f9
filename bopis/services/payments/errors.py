"""Errors of commands about payments. Each docstring is the message.

PaymentError
+-- PaymentUnknown      3   an order is not paid by methods of its customer
+-- EntryUnknown        3   a gateway's list does not have a reference
+-- PaymentNotChanged   4   the payment refuses the command
"""

from bopis.errors import CONFLICT, NOT_FOUND, BopisError


class PaymentError(BopisError):
    """A command to a payment failed."""


class PaymentUnknown(PaymentError):
    """Order {order} has no payment: it is paid at the till, or it was placed a moment ago. `bopis order show {order}`
    says how it is paid."""

    exit_code = NOT_FOUND


class EntryUnknown(PaymentError):
    """The list of gateway {gateway} has no authorisation {reference!r} since the payment began. `bopis payments
    reconcile` lists references."""

    exit_code = NOT_FOUND


class PaymentNotChanged(PaymentError):
    """{why}"""

    exit_code = CONFLICT
