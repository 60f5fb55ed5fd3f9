"""What can go wrong with notices that staff ask about. Each docstring is the message and says what to do next."""

from bopis.services.errors import ServiceError


class NothingTold(ServiceError):
    """Nobody was told anything about order {order}. `bopis notices list` names orders with notices."""

    exit_code = 3


class NotResent(ServiceError):
    """Not sent again: {reason}."""

    exit_code = 4


class ResendUnanswered(ServiceError):
    """The log has it, but no answer came within {seconds:g} s: does `bopis worker notices` run? It will be taken once,
    later: look with `bopis notices show {order}`, do not send it again."""

    exit_code = 75
