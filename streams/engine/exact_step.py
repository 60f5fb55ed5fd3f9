"""The exact step as a pure function: skip, decide, evolve, stage.

The worker runs it between a fetch and a commit; a simulation runs the same code between a list and a list.
"""

from collections.abc import Sequence

import msgspec

from streams.engine.dead_letters import ParkedRecord
from streams.engine.processor import LogRecord, Output, Poison, Processor
from streams.engine.rows import PartitionRows
from streams.errors import ProcessorBroken

NO_POSITION = -1


class StepResult(msgspec.Struct, frozen=True):
    """Everything that one step staged, besides the changed rows, which are marked as touched in the `PartitionRows`."""

    position: int
    outputs: list[Output]
    parked: list[ParkedRecord]
    handled: int


def step(
    processor: Processor, rows: PartitionRows, position: int, records: Sequence[LogRecord], record_bytes_max: int
) -> StepResult:
    """Handle the records beyond `position`, in order, each exactly once.

    A record at or below the position is in the rows already: deciding it again would count it twice, so it is skipped.
    The caller makes sure that no record between the position and the first one is missing. Raises `ProcessorBroken`
    for any exception of the processor but `Poison`, and for `Poison` after a row was changed.
    """
    outputs: list[Output] = []
    parked: list[ParkedRecord] = []
    handled = 0
    handle, touched_rows = processor.handle, rows.touched_rows
    for record in records:
        offset = record.offset
        if offset <= position:
            continue
        value = record.value
        if value is None:
            parked.append(ParkedRecord("the record has no value", record))
        elif len(value) > record_bytes_max:
            parked.append(ParkedRecord(f"the record has {len(value)} bytes; {record_bytes_max} are allowed", record))
        else:
            touched = len(touched_rows)
            try:
                made = handle(rows, record)
            except Poison as poison:
                if len(touched_rows) != touched:
                    bug = "Poison raised after a row was changed"
                    raise ProcessorBroken(processor=processor.name, offset=offset, bug=bug) from poison
                parked.append(ParkedRecord(poison.cause, record))
            except Exception as error:
                raise ProcessorBroken(processor=processor.name, offset=offset, bug=repr(error)) from error
            else:
                handled += 1
                if made:
                    outputs += made
        position = offset
    return StepResult(position, outputs, parked, handled)
