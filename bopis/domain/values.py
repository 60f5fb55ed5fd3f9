"""Value types and limits shared by every message of the domain.

Quantities are whole numbers in the SKU's smallest unit, money is minor units, instants inside the core are milliseconds
since the Unix epoch in UTC (names end in ``_ms``). The limits are rules of the trade, on the wire as well as in the
core: a value beyond a limit is refused where it enters.
"""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

ID_LENGTH_MAX = 128
DERIVED_ID_LENGTH_MAX = 2 * ID_LENGTH_MAX + 16  # the id of what follows: source/id#index
STORE_LENGTH_MAX = 64
SKU_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 200
LINES_MAX = 1_000
QUANTITY_MAX = 10_000_000
SEQUENCE_MAX = 2**53 - 1
AMOUNT_CENTS_MAX = 10**12

EPOCH_MS_MIN = 946_684_800_000  # 2000-01-01: an earlier time comes from a clock that was never set
EPOCH_MS_MAX = 4_102_444_800_000  # 2100-01-01
CLOCK_AHEAD_MS_MAX = 24 * 3_600_000  # a device's clock may run ahead of the log by at most this

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
StoreId = Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
Sku = Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]
Category = Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Counted = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Change = Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Units = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
AmountCents = Annotated[int, Meta(ge=-AMOUNT_CENTS_MAX, le=AMOUNT_CENTS_MAX)]
Sequence = Annotated[int, Meta(ge=1, le=SEQUENCE_MAX)]
Instant = Annotated[datetime, Meta(tz=True)]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since the Unix epoch of an aware instant, rounded down.

    Computed in whole numbers: through a float, one instant in a hundred would lose a millisecond.
    """
    since = instant - _EPOCH
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


class ChangeLine(Struct, frozen=True, kw_only=True):
    """Signed change of one SKU."""

    sku: Sku
    change: Change


class Clocks(Struct, frozen=True, gc=False):
    """Both clocks of a message: time of occurrence at the source, and append time in the log."""

    at_ms: int
    recorded_at_ms: int
