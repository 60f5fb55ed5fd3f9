"""Progress bars on standard error; without a terminal there is none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bopis.commands.shell import Shell


@contextmanager
def bar(shell: "Shell", words: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over `total` steps; yields what is called with the number of steps done since the last call."""
    if not shell.err.is_terminal or total <= 0:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shell.err, transient=True) as progress:
        task = progress.add_task(words, total=total)
        yield lambda steps: progress.advance(task, steps)
