"""Order numbers: eight characters of Crockford's base 32, the last one a check.

Short, readable aloud, not guessable from another one: the first seven are taken from a keyed hash, never counted.
The check finds every single wrong character and every swap of neighbours.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8
_BITS = 5
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
_FIELD_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive over GF(2)


def number_from(digest: bytes) -> str:
    """The order number that stands for a keyed hash of at least five bytes."""
    left = int.from_bytes(digest[:5], "big")
    digits = []
    for _ in range(NUMBER_LENGTH - 1):
        digits.append(left % len(ALPHABET))
        left >>= _BITS
    return "".join(ALPHABET[it] for it in [*digits, _check(digits)])


def parse(text: str) -> str | None:
    """The number that somebody typed or read aloud, None if it is none or was misheard."""
    number = text.upper().translate(MISREAD)
    if len(number) != NUMBER_LENGTH or any(it not in ALPHABET for it in number):
        return None
    digits = [ALPHABET.index(it) for it in number]
    return number if _check(digits[:-1]) == digits[-1] else None


def shown(number: str) -> str:
    """The number as people see it: in two groups of four."""
    return f"{number[:4]}-{number[4:]}"


def _check(digits: list[int]) -> int:
    # Each place has a weight of its own, a power of the field's generator, so no two places can be swapped unseen.
    total, weight = 0, 1
    for digit in digits:
        weight = _times(weight, 2)
        total ^= _times(digit, weight)
    return total


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0b100000:
            left ^= _FIELD_POLYNOMIAL
        right >>= 1
    return product
