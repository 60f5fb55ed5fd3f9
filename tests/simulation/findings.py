"""What an auditor says when something is not as it must be."""


class Finding(AssertionError):
    """One thing that must hold and does not; ``check`` is the name of what was looked at."""

    def __init__(self, check: str, said: str) -> None:
        super().__init__(f"{check}: {said}")
        self.check = check


def must(holds: object, check: str, said: str) -> None:
    """Raises `Finding` when something does not hold."""
    if not holds:
        raise Finding(check, said)
