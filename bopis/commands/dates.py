"""Dates that lie ahead, and what may be promised for them."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from bopis.commands.errors import Usage
from bopis.commands.times import read_time

if TYPE_CHECKING:
    from bopis.commands.shell import Shell
    from bopis.readside.queries.answers import LaterAnswer

ON = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Count what is expected by then, for example 2026-12-01 or 2026-12-01T08:00."),
]


def ahead(shell: "Shell", text: str, zone: tzinfo) -> datetime:
    """An instant that lies ahead, in a zone where none is said. Raises `Usage` for one that has passed."""
    read = read_time(text, zone)
    if read.at <= datetime.now(UTC):
        raise Usage(problem=f"{text} has passed. Give a date that lies ahead, for example 2030-12-01T08:00.")
    if read.zone_assumed:
        shell.say(f"Date taken as {read.at.isoformat(timespec='minutes')} ({zone}).")
    return read.at.astimezone(UTC)


def later_words(it: "LaterAnswer") -> str:
    """One line for somebody with a customer waiting."""
    counted = [part for part in it.incoming if not part.overdue and part.expected_at <= it.on]
    words = f"{it.sku} in {it.store} for {it.on.isoformat(timespec='minutes')}: {it.available} available to promise"
    if counted:
        units = ", ".join(f"{part.quantity} with {part.document or part.transfer}" for part in counted)
        words += f", of which expected by then {units}"
    return f"{words}; {it.atp_now} now"
