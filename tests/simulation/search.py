"""Goes through seeds until one fails, and tells how to repeat it with as few steps as it needs."""

import gc
from collections.abc import Iterator
from multiprocessing import get_context

from tests.simulation.plan import plan
from tests.simulation.shrinking import failure, shrunk

CHUNK = 20
SHOWN_MAX = 600


def one(seed: int, only: list[int]) -> str:
    """What a seed says with some of its steps."""
    steps = [it for it in plan(seed) if it.number in only]
    error = failure(seed, steps)
    return "" if error is None else _said(error)


def first_failure(first: int, count: int, jobs: int) -> str:
    """The report on the first seed that fails, empty when none does."""
    chunks = [range(it, min(it + CHUNK, first + count)) for it in range(first, first + count, CHUNK)]
    for found in _each(chunks, jobs):
        if found is not None:
            return report(found)
    return ""


def report(seed: int) -> str:
    """What went wrong in a seed, with which steps, and the command that repeats it."""
    error = failure(seed, plan(seed))
    assert error is not None
    steps = shrunk(seed, error)
    numbers = ",".join(str(it.number) for it in steps)
    shown = "\n".join(f"  {it.number:3} {it.kind}" for it in steps)
    last = failure(seed, steps)
    return (
        f"seed {seed} fails: {_said(last or error)}\n{len(steps)} of its {len(plan(seed))} steps are enough:\n{shown}\n"
        f"repeat it: python -m tests.simulation --seed {seed} --only {numbers}"
    )


def _each(chunks: list[range], jobs: int) -> Iterator[int | None]:
    if jobs <= 1:
        yield from map(failing, chunks)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(failing, chunks)


def failing(seeds: range) -> int | None:
    """The first seed of a range that fails."""
    # Collecting what a run leaves behind costs a quarter of it; between chunks it is done all at once.
    gc.disable()
    try:
        return next((it for it in seeds if failure(it, plan(it)) is not None), None)
    finally:
        gc.enable()
        gc.collect()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:SHOWN_MAX]
