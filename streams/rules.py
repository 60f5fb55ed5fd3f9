"""The exact step as a pure function: skip, decide, evolve, stage.

The worker runs it between a fetch and a commit; a simulation runs the same code between a list and a list.
"""

from collections.abc import Sequence

import msgspec

from streams.errors import ProcessorBroken
from streams.processor import Output, Poison, Processor, Record
from streams.rows import Rows

NO_POSITION = -1


class Parked(msgspec.Struct, frozen=True):
    """A record that can never be handled, and why."""

    cause: str
    record: Record


class Step(msgspec.Struct, frozen=True):
    """What one step staged. The changed rows are in the `Rows`, marked as touched."""

    position: int
    outputs: list[Output]
    parked: list[Parked]
    handled: int


def step(processor: Processor, rows: Rows, position: int, records: Sequence[Record], record_bytes_max: int) -> Step:
    """Handle the records beyond `position`, in order, each exactly once.

    A record at or below the position is already in the rows: deciding it again is what makes a crash visible, so
    it is skipped. Whoever calls makes sure that no record between the position and the first one is missing.
    """
    outputs: list[Output] = []
    parked: list[Parked] = []
    handled = 0
    handle, touched_rows = processor.handle, rows.touched_rows
    takes_empty = getattr(processor, "takes_empty", False)
    for record in records:
        offset = record.offset
        if offset <= position:
            continue
        value = record.value
        if value is None and not takes_empty:
            parked.append(Parked("the record has no value", record))
        elif value is not None and len(value) > record_bytes_max:
            parked.append(Parked(f"the record has {len(value)} bytes; {record_bytes_max} are allowed", record))
        else:
            touched = len(touched_rows)
            try:
                made = handle(rows, record)
            except Poison as poison:
                if len(touched_rows) != touched:
                    bug = "Poison raised after a row was changed"
                    raise ProcessorBroken(processor=processor.name, offset=offset, bug=bug) from poison
                parked.append(Parked(poison.cause, record))
            except Exception as error:
                raise ProcessorBroken(processor=processor.name, offset=offset, bug=repr(error)) from error
            else:
                handled += 1
                if made:
                    outputs += made
        position = offset
    return Step(position, outputs, parked, handled)
