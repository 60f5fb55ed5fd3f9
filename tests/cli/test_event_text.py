"""Every event of the inventory is a sentence for people, and none is printed as Python shows it."""

from pathlib import Path
from typing import Any, get_args

import pytest

from bopis.cli.stock.event_text import event_sentence
from bopis.domain.inventory.events import Event
from bopis.wire.stock import INVENTORY_EVENTS

GOLDEN = Path(__file__).parents[1] / "wire" / "golden"


@pytest.mark.parametrize("event", get_args(Event), ids=lambda it: it.__name__)
def test_every_event_has_a_sentence(event: type[Any]) -> None:
    example = INVENTORY_EVENTS.decode((GOLDEN / f"{INVENTORY_EVENTS.type_name(event)}.json").read_bytes()).data

    told = event_sentence(example)

    assert " " in told
    assert event.__name__ not in told


def test_what_is_no_event_of_the_inventory_has_no_sentence() -> None:
    with pytest.raises(AssertionError):
        event_sentence("framed")  # type: ignore[arg-type]  # that is the mistake
