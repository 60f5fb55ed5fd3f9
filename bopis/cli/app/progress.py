"""Progress on standard error: bars and the current step on a terminal, one line per step elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bopis.cli.app.context import CommandContext


@contextmanager
def bar(ctx: CommandContext, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over `total` steps; yields a function that takes the number of steps done since its last call."""
    if not ctx.err.is_terminal or total <= 0:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ctx.err, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda steps: progress.advance(task, steps)


class Steps:
    """The current step of a long command: a spinner on a terminal, a line for each step elsewhere."""

    def __init__(self, ctx: CommandContext) -> None:
        self._ctx = ctx
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, step: str) -> None:
        """Show a step, which replaces the one before."""
        if not self._ctx.err.is_terminal:
            self._ctx.note(f"{step} ...")
            return
        self.end()
        columns = (SpinnerColumn(), TextColumn("{task.description} ..."), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._ctx.err, transient=True)
        self._progress.add_task(step, total=None)
        self._progress.start()

    def end(self) -> None:
        """Remove the spinner: other output follows."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()
