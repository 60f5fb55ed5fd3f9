"""Money as whole minor units of an ISO 4217 currency, and how a sum is shared out without losing any of it."""

from collections.abc import Sequence

# Source: ISO 4217:2015, list one. Every currency that is not named here has two digits after the point.
EXPONENTS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
EXPONENT_USUAL = 2
WHOLE_DIGITS_MAX = 12


def exponent(currency: str) -> int:
    """How many digits of an amount in minor units stand after the point: EUR 2, JPY 0, KWD 3."""
    return EXPONENTS.get(currency, EXPONENT_USUAL)


def plain_amount(amount: int, currency: str) -> str:
    """An amount as digits with a point, for logs and staff: 1250 EUR is ``12.50 EUR``. Customers see their locale's."""
    digits = exponent(currency)
    sign, whole = ("-" if amount < 0 else ""), str(abs(amount)).rjust(digits + 1, "0")
    point = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
    return f"{sign}{point} {currency}".rstrip()


def minor_of(text: str, currency: str) -> int | None:
    """An amount as it is typed, ``12.50`` or ``12,50``, in minor units; None for a text that is no amount."""
    whole, _, fraction = text.strip().replace(",", ".").partition(".")
    digits = exponent(currency)
    is_number = (whole + fraction).isascii() and (whole + fraction).isdigit() and bool(whole)
    if not is_number or len(fraction) > digits or len(whole) > WHOLE_DIGITS_MAX:
        return None
    return int(whole + fraction.ljust(digits, "0"))


def shares(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """A sum shared out in proportion to weights by the method of largest remainder; ties go to the earlier one.

    The shares add up to `total`, which may be negative (a discount). With weights that are all 0 the first one takes it
    all. Raises `ValueError` for a negative weight, or for none at all where there is something to share.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is below zero")
    if not weights:
        if total:
            raise ValueError("nothing to share it out to")
        return ()
    whole = sum(weights)
    if not whole:
        return (total, *(0 for _ in weights[1:]))
    sign, left = (-1, -total) if total < 0 else (1, total)
    floors = [left * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(left * weights[at] % whole), at))
    for at in by_remainder[: left - sum(floors)]:
        floors[at] += 1
    return tuple(sign * floor for floor in floors)


def value_of_units(total: int, quantity: int, first: int, units: int) -> int:
    """What `units` of a line cost that begin behind the `first` ones: any sequence of visits adds up to the line's
    total, because each is a difference of running sums. Raises `ValueError` for units that the line has not."""
    if not (0 <= first <= first + units <= quantity and quantity > 0):
        raise ValueError(f"{units} units behind {first} of a line of {quantity}")
    return total * (first + units) // quantity - total * first // quantity
