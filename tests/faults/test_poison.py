"""What can never be handled is parked with its cause, and the partition goes on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.placement import partition_of
from bopis.wire.stock import STOCK
from tests.faults.world import PARTITIONS, World


def sale(seq: int, quantity: int = 1, **header: object) -> Message:
    data = PosSale(basket=f"b{seq}", lines=(SaleLine("A", quantity),))
    fields = {"id": f"till/{seq}", "source": "till", "seq": seq, "time": datetime.now(UTC), "subject": "S1"}
    return Message(data=data, **{**fields, **header})  # type: ignore[arg-type]  # fields by name


def neighbour(pattern: str) -> str:
    """The first name of a pattern that belongs in the partition of S1."""
    home = partition_of(b"S1", PARTITIONS)
    return next(it for number in range(99) if partition_of((it := pattern.format(number)).encode(), PARTITIONS) == home)


def stranger(pattern: str) -> str:
    """The first name of a pattern that belongs in another partition than S1."""
    home = partition_of(b"S1", PARTITIONS)
    return next(it for number in range(99) if partition_of((it := pattern.format(number)).encode(), PARTITIONS) != home)


def test_poison_is_parked_with_its_cause_and_the_partition_goes_on(tmp_path: Path) -> None:
    good = STOCK.encode(sale(1))
    poison = {
        b"not json": "Undecodable",
        b"": "Undecodable",
        good.replace(b"sale.v1", b"sale.v9"): "UnknownType",
        good.replace(b'"quantity":1', b'"quantity":99999999999'): "Undecodable",
        b'{"pad":"' + b"x" * MESSAGE_BYTES_MAX + b'"}': "Oversize",
        STOCK.encode(sale(1, quantity=7)): "Rejected",
        STOCK.encode(sale(2, time=datetime.now(UTC) + timedelta(days=30))): "Rejected",
        STOCK.encode(sale(2, subject=neighbour("S|{}"))): "Rejected",
        STOCK.encode(sale(2, subject=stranger("S{}"))): "Misplaced",
    }
    with World(tmp_path) as world:
        world.send(b"S1", good)
        for value in poison:
            world.send(b"S1", value)
        world.send(b"S1", None)
        world.publish(sale(2))

        rows = world.wait_decided()
        letters = list(world.read("dead-letters"))

    level = rows["S1|A"]
    assert isinstance(level, Level)
    assert level.on_hand == -2
    assert [letter.value for letter in letters[:-1]] == list(poison)
    for letter, cause in zip(letters, poison.values(), strict=False):
        headers = dict(letter.headers)
        assert headers["cause"].decode().startswith(cause)
        assert headers["topic"] == b"bopis.stock"
        assert headers["processor"] == b"inventory"
    assert "value" in dict(letters[-1].headers)["cause"].decode()
