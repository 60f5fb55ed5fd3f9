"""Order numbers: eight characters of Crockford's base 32 (https://www.crockford.com/base32.html), the last one a check.

Short, readable aloud, not guessable from another number: the first seven characters come from a keyed hash, never from
a counter. The check character detects every single wrong character and every swap of neighbours.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8
_BITS = 5
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
_FIELD_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive over GF(2)


def number_from(digest: bytes) -> str:
    """Order number of a keyed hash of at least five bytes."""
    left = int.from_bytes(digest[:5], "big")
    digits = []
    for _ in range(NUMBER_LENGTH - 1):
        digits.append(left % len(ALPHABET))
        left >>= _BITS
    return "".join(ALPHABET[it] for it in [*digits, _check(digits)])


def parse(text: str) -> str | None:
    """Order number as typed or read aloud; None if its length, characters or check are wrong."""
    number = text.upper().translate(MISREAD)
    if len(number) != NUMBER_LENGTH or any(it not in ALPHABET for it in number):
        return None
    digits = [ALPHABET.index(it) for it in number]
    return number if _check(digits[:-1]) == digits[-1] else None


def shown(number: str) -> str:
    """Order number as shown to people, in two groups of four."""
    return f"{number[:4]}-{number[4:]}"


def _check(digits: list[int]) -> int:
    # A weighted sum over GF(32): each position has its own power of the generator, so every swap changes the sum.
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
