"""What can come back instead of an answer. Each docstring is the message and says what to do next.

CounterError
+-- OrderUnknown        3   nobody placed an order of that number
+-- NumberUnclear       3   several orders begin so
+-- NotDone             4   the order refuses, by name
+-- MessageParked       4   the message was not taken at all
+-- NumberMisread       5   what was said is no order number
+-- NotDecidedInTime   75   it is in the log, and was not decided in time
"""

from typing import ClassVar


class CounterError(Exception):
    """An order could not be asked or told."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class OrderUnknown(CounterError):
    """No order {order!r} is known. Check the number, or look for it with `bopis order list`."""

    exit_code = 3


class NumberUnclear(CounterError):
    """{count} orders begin with {text!r}: {orders}. Give one more character."""

    exit_code = 3


class NotDone(CounterError):
    """{why}"""

    exit_code = 4


class MessageParked(CounterError):
    """Not taken: {cause}. The message waits in `bopis dead-letters show {name}`."""

    exit_code = 4


class NumberMisread(CounterError):
    """{text!r} is no order number: eight letters and digits, the last one a check. Ask for it again, or look for the
    order with `bopis order list`."""

    exit_code = 5


class NotDecidedInTime(CounterError):
    """The log has it ({where}), but it was not decided within {seconds:g} s. It will be, once: look with `bopis order
    show {order}` and `bopis status`, do not send it again."""

    exit_code = 75
