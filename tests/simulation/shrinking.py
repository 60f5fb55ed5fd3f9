"""Cuts a failing plan down to the steps that are needed for the same failure."""

from collections.abc import Sequence

from tests.simulation.findings import Finding
from tests.simulation.plan import Step, plan
from tests.simulation.run import run

RUNS_MAX = 400


def failure(seed: int, steps: Sequence[Step]) -> Exception | None:
    """What goes wrong with these steps, None if nothing does."""
    try:
        run(seed, steps)
    except Exception as error:
        return error
    return None


def kind(error: Exception) -> str:
    """What makes two failures the same one."""
    return error.check if isinstance(error, Finding) else type(error).__name__


def shrunk(seed: int, error: Exception) -> list[Step]:
    """The steps of a seed without those that the failure does not need; dice stay with their steps."""
    steps, wanted, runs = plan(seed), kind(error), 0
    size = len(steps) // 2
    while size and runs < RUNS_MAX:
        begin, cut = 0, False
        while begin < len(steps) and runs < RUNS_MAX:
            fewer = steps[:begin] + steps[begin + size :]
            runs += 1
            other = failure(seed, fewer)
            if other is not None and kind(other) == wanted:
                steps, cut = fewer, True
            else:
                begin += size
        if not cut or size > 1:
            size //= 2
    return steps
