"""Errors of routing rules and of their simulation. Each docstring is the message."""

from bopis.errors import INVALID_INPUT, NOT_FOUND
from bopis.services.errors import ServiceError


class RulesUnreadable(ServiceError):
    """The rules in {file} cannot be read: {cause}. Correct the file and check it with `bopis routing check {file}`."""

    exit_code = INVALID_INPUT


class NothingToReplay(ServiceError):
    """The log has no routing decision since {since}. Give an earlier time with --since."""

    exit_code = NOT_FOUND
