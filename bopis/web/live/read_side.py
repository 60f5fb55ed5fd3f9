"""Problems of requests that need the read side, which may appear, be made again and go away."""

from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from bopis.web.problems import Problem

RETRY_AFTER_S = 5
# What a database answers while it is away, or has no tables of ours; anything else is a fault of ours.
PASSING = (OperationalError, InterfaceError, ProgrammingError)


def read_side_missing() -> Problem:
    """The problem of a request that needs the read side where there is none."""
    detail = "The read side is not there. `bopis up` and `bopis worker projection` make it from the log."
    return Problem(503, "read-side-missing", detail, retry_after_s=RETRY_AFTER_S)


def read_side_away() -> Problem:
    """The problem of a request for which the read side could not be read."""
    detail = "The read side does not answer, is being made again, or `bopis db upgrade` was not run."
    return Problem(503, "read-side-away", detail, retry_after_s=RETRY_AFTER_S)
