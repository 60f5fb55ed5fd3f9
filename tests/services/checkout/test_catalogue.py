"""The catalogue: rows, GTINs as scanners read them, kits and what may be promised of them."""

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.domain.sourcing.request import Component
from bopis.services.catalogue import (
    Catalogue,
    check_kits,
    code_conflicts,
    kits_available,
    publish_article,
    read_article,
    read_catalogue,
    remove_article,
)
from bopis.services.errors import KitInvalid
from bopis.wire.catalogue import Article, decode, encode
from bopis.wire.errors import Undecodable
from tests.services.checkout.live import LiveLog, shop_catalogue


@pytest.mark.parametrize(
    ("scanned", "gtin"),
    [
        ("4006381333931", "04006381333931"),
        ("04006381333931", "04006381333931"),
        ("96385074", "00000096385074"),
        ("036000291452", "00036000291452"),
        ("(01)04006381333931(10)AB1", "04006381333931"),
        ("]C10104006381333931", "04006381333931"),
        ("]E04006381333931", "04006381333931"),
        ("04963406", "00049000006346"),
        ("0 496340 6", "00049000006346"),
        ("0 49000 00634-6", "00049000006346"),
        ("]E04963406", None),
        ("9638 5074", "00000096385074"),
        ("12345670", "00000012345670"),
        ("04963407", None),
        ("4006381333932", None),
        ("4011", None),
        ("", None),
        ("not a code", None),
    ],
)
def test_a_gtin_is_read_in_all_its_lengths_and_only_with_its_check(scanned: str, gtin: str | None) -> None:
    assert gtin14(scanned) == gtin


def test_a_row_with_everything_is_an_article_that_survives_the_wire() -> None:
    cells = {
        "sku": "SET",
        "name": "Set",
        "unit": "each",
        "category": "home",
        "gtins": "96385074; 4006381333931",
        "substitutes": "MUG",
        "components": "MUG*2; 4011 ; MUG",
    }

    read = read_article(cells, gtin14)

    assert isinstance(read, Article)
    assert read.gtins == ("00000096385074", "04006381333931")
    assert [(it.sku, it.quantity) for it in read.components] == [("MUG", 2), ("4011", 1), ("MUG", 1)]
    assert decode(encode(read)) == read


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"sku": ""}, "sku is empty"),
        ({"sku": "x" * 65}, "longer than"),
        ({"sku": "A", "gtins": "123"}, "no GTIN"),
        ({"sku": "A", "gtins": "4.00638E+12"}, "rounded by a spreadsheet"),
        ({"sku": "A", "gtins": "49000006346"}, "taken zeros from its beginning"),
        ({"sku": "4.00638E+12"}, "rounded by a spreadsheet"),
        ({"sku": "-"}, "sku is empty"),
        ({"sku": "A", "components": "A"}, "component of itself"),
        ({"sku": "A", "components": "B*0"}, "neither SKU nor"),
        ({"sku": "A", "components": "B*two"}, "neither SKU nor"),
        ({"sku": "A", "substitutes": "A"}, "no substitute for itself"),
        ({"sku": "A", "unit": "x" * 17}, "unit has more than 16 characters"),
        ({"sku": "A", "components": ";".join(f"B{n}" for n in range(51))}, "too many"),
    ],
)
def test_a_row_that_is_not_sound_says_why(cells: dict[str, str], words: str) -> None:
    read = read_article(cells, gtin14)

    assert isinstance(read, list)
    assert words in "; ".join(read)


def test_the_newest_record_of_a_sku_stands_and_an_empty_one_takes_it_out() -> None:
    log = LiveLog()
    publish_article(log, Article(sku="A", name="Old", gtins=("04006381333931",)))
    publish_article(log, Article(sku="A", name="New"))
    publish_article(log, Article(sku="B", name="Gone"))
    remove_article(log, "B")
    log.publish("catalogue", "C", b"no article")

    found = read_catalogue(log)

    assert [(it.sku, it.name) for it in found.all()] == [("A", "New")]
    assert found.resolve("4006381333931", gtin14) is None


def test_a_gtin_that_moved_to_another_article_is_the_other_ones() -> None:
    found = Catalogue([Article(sku="A", gtins=("04006381333931",)), Article(sku="B", gtins=("04006381333931",))])
    found.apply("A", None)

    assert found.resolve("4006381333931", gtin14) == "B"


def test_a_kit_is_never_made_of_kits_whichever_comes_first() -> None:
    known = shop_catalogue()
    box = Article(sku="BOX", components=(Component(sku="SET", quantity=1),))
    mug = Article(sku="MUG", components=(Component(sku="CUP", quantity=1),))

    for later in (box, mug):
        with pytest.raises(KitInvalid):
            check_kits(known, [later])


@pytest.mark.parametrize(
    ("atp", "kits"),
    [
        ({"MUG": 6, "A": 10}, 3),
        ({"MUG": 7, "A": 2}, 2),
        ({"MUG": 1, "A": 9}, 0),
        ({"A": 9}, 0),
        ({"MUG": -4, "A": 9}, 0),
    ],
)
def test_a_kit_is_available_as_often_as_its_scarcest_component(atp: dict[str, int], kits: int) -> None:
    parts = shop_catalogue().parts("SET")

    assert kits_available(parts, lambda sku: atp.get(sku, 0)) == kits


def test_a_component_that_is_named_twice_is_counted_together() -> None:
    twice = (Component(sku="MUG", quantity=2), Component(sku="MUG", quantity=1))

    assert kits_available(twice, lambda _: 8) == 2


def test_bytes_that_break_the_type_are_refused_by_name() -> None:
    with pytest.raises(Undecodable):
        decode(b'{"sku": "", "name": 3}')


GTIN = "04006381333931"


def articles(**gtins: tuple[str, ...]) -> list[Article]:
    """Articles with these codes by SKU; an underscore in front of a number is left out."""
    return [Article(sku=sku.removeprefix("_"), gtins=codes) for sku, codes in gtins.items()]


@pytest.mark.parametrize(
    ("new", "conflicts"),
    [
        (articles(EVIL=(GTIN,)), {"EVIL": [f"GTIN {GTIN} belongs to MILK already"]}),
        (articles(EVIL=(GTIN,), MILK=(GTIN,)), {"EVIL": [f"GTIN {GTIN} belongs to MILK already"]}),
        (articles(EVIL=(GTIN,), MILK=()), {}),
        (articles(MILK=(GTIN, "00000096385074")), {}),
        (articles(_4006381333931=()), {"4006381333931": ["sku 4006381333931 is a GTIN of MILK"]}),
        (articles(_4006381333931=(GTIN,), MILK=()), {}),
        (articles(A=("00000096385074",), B=("00000096385074",)), {"B": ["GTIN 00000096385074 belongs to A already"]}),
        (
            articles(_96385074=(), B=("00000096385074",)),
            {"B": ["GTIN 00000096385074 is the SKU of another article, 96385074"]},
        ),
    ],
)
def test_a_code_means_one_article_in_the_catalogue_as_it_will_be__o2_14(
    new: list[Article], conflicts: dict[str, list[str]]
) -> None:
    assert code_conflicts(Catalogue(articles(MILK=(GTIN,))), new, gtin14) == conflicts


def test_a_removed_article_leaves_its_code_to_the_one_that_lists_it_still__o2_14() -> None:
    found = Catalogue(articles(MILK=(GTIN,), EVIL=(GTIN,)))
    before = found.resolve(GTIN, gtin14)

    found.apply("EVIL", None)

    assert (before, found.resolve(GTIN, gtin14), found.owners(GTIN)) == ("EVIL", "MILK", ("MILK",))
    assert code_conflicts(Catalogue(articles(MILK=(GTIN,), EVIL=(GTIN,))), articles(EVIL=(GTIN,)), gtin14) == {}


def test_a_shops_own_short_code_is_found_as_the_catalogue_has_it() -> None:
    found = Catalogue(articles(OWN=("00000004963406",)))

    assert found.resolve("04963406", gtin14) == "OWN"


def test_empty_and_absent_cells_leave_values_and_a_dash_clears_them__o2_03() -> None:
    known = Article(sku="A", name="Milk", unit="g", gtins=(GTIN,), substitutes=("B",))

    assert read_article({"sku": "A", "name": "", "gtins": ""}, gtin14, known) == known
    assert read_article({"sku": "A", "name": "-", "unit": "-", "gtins": "-"}, gtin14, known) == Article(
        sku="A", substitutes=("B",)
    )
