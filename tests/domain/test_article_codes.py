"""Codes as tills and scanners send them."""

import pytest

from bopis.domain.article_codes import folded, gtins_in

COLA = "00049000006346"
BEER = "05012345678900"


@pytest.mark.parametrize(
    ("code", "gtins"),
    [
        pytest.param("04963406", (COLA,), id="o2-16 UPC-E ending in 0"),
        ("4963406", (COLA,)),  # the number system was dropped as a leading zero
        ("049000006346", (COLA,)),
        ("49000006346", (COLA,)),  # a spreadsheet dropped the zero
        ("0049000006346", (COLA,)),
        (COLA, (COLA,)),
        ("5012345678900", (BEER,)),
        (" 5 012345-678900\t", (BEER,)),
        ("(01)05012345678900", (BEER,)),
        ("(01)05012345678900(10)LOT7", (BEER,)),
        ("]d20105012345678900", (BEER,)),
        ("https://id.gs1.org/01/05012345678900/10/7", (BEER,)),
        ("https://id.gs1.org/01/5012345678900", (BEER,)),
        # GS1 General Specifications, zero suppression by the last of the six digits; some are a GTIN-8 as well.
        ("01234523", ("00012200003453",)),
        ("01234133", ("00012300000413",)),
        ("01234145", ("00012340000015", "00000001234145")),
        ("01234565", ("00012345000065", "00000001234565")),
    ],
)
def test_the_gtins_in_a_code(code: str, gtins: tuple[str, ...]) -> None:
    assert gtins_in(code) == gtins


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "4011",
        "BEER",
        "5012345678901",
        "0",
        "00000000",
        "000000000000",
        "４０１２３４５５",
        "-",
        "²²²²²²²²",
        "24963406",
    ],
)
def test_a_code_without_a_valid_check_digit_is_no_gtin(code: str) -> None:
    assert gtins_in(code) == ()


def test_blanks_and_case_are_folded() -> None:
    assert folded("  Beer ") == folded("BEER") == "beer"
