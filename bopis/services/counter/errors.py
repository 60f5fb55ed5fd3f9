"""Errors of commands about orders. Each docstring is the message.

CounterError
+-- OrderUnknown        3   no order has this number
+-- NumberUnclear       3   several orders begin with these characters
+-- NotDone             4   the order refuses the command
+-- NumberMisread       5   the text is not an order number
+-- CodeMisread         5   the text is neither a pickup code nor a token
"""

from bopis.errors import CONFLICT, INVALID_INPUT, NOT_FOUND, BopisError


class CounterError(BopisError):
    """A command to an order failed."""


class OrderUnknown(CounterError):
    """There is no order {order!r}. Check the number, or search with `bopis order list`."""

    exit_code = NOT_FOUND


class NumberUnclear(CounterError):
    """{count} orders begin with {text!r}: {orders}. Give one more character."""

    exit_code = NOT_FOUND


class NotDone(CounterError):
    """{why}"""

    exit_code = CONFLICT


class NumberMisread(CounterError):
    """{text!r} is not an order number: its check character does not match. Ask for the number again, or search with
    `bopis order list`."""

    exit_code = INVALID_INPUT


class CodeMisread(CounterError):
    """{text!r} is not a pickup code: it has six digits, or is the content of the QR code. No try was used; ask for it
    again, or check an identity document (--document KIND)."""

    exit_code = INVALID_INPUT
