"""What can go wrong with rules and their replay. Each docstring is the message and says what to do next."""

from bopis.services.errors import ServiceError


class RulesUnreadable(ServiceError):
    """The rules in {file} cannot be read: {cause}. Correct the file and check it with `bopis routing check {file}`."""

    exit_code = 5


class NothingToReplay(ServiceError):
    """The log has no routing decision since {since}. Choose an earlier time with --since."""

    exit_code = 3
