"""Every event of an order is a sentence for staff, and none falls back to the name of its class."""

from pathlib import Path
from typing import Any, get_args

import pytest

from bopis.domain.orders.events import Event
from bopis.services.counter.event_text import EventText
from bopis.wire.orders import ORDER_EVENTS

GOLDEN = Path(__file__).parents[2] / "wire" / "golden"


def example(event: type[Any]) -> Any:
    """The golden example of an event, with a value in every field."""
    return ORDER_EVENTS.decode((GOLDEN / f"{ORDER_EVENTS.type_name(event)}.json").read_bytes()).data


@pytest.mark.parametrize("event", get_args(Event), ids=lambda it: it.__name__)
def test_every_event_has_a_sentence(event: type[Any]) -> None:
    told = EventText().sentence(example(event))

    assert " " in told
    assert event.__name__ not in told


def test_what_is_no_event_of_an_order_has_no_sentence() -> None:
    with pytest.raises(AssertionError):
        EventText().sentence("framed")  # type: ignore[arg-type]  # that is the mistake
