"""Hand-over proofs, and the codes in scanned or typed texts. Codes become keyed hashes, names are sealed."""

import hmac
import re
import unicodedata

from msgspec import Struct

from bopis.domain.orders.lines import LinePart
from bopis.domain.orders.messages import HandOver
from bopis.domain.orders.numbers import parse
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import Document, Proof
from bopis.ports import Codes, Secrets
from bopis.services.counter.errors import CodeMisread
from bopis.services.errors import CustomerInvalid
from bopis.wire.characters import text_problems

TOKEN_LENGTH = 26
DIGITS = 6
# Letters and digits of base32 around a match would make it a part of something else.
_TOKEN = re.compile(rf"(?<![A-Z2-7])[A-Z2-7]{{{TOKEN_LENGTH}}}(?![A-Z2-7])")
# Blanks and dashes between the digits, as people write and read them.
_GAPS = re.compile(r"[\s\u00ad\u2010-\u2015\u2212-]+")
SHOWN_LENGTH_MAX = 40


class LineChoice(Struct, frozen=True, kw_only=True):
    """Whole lines of an order, and lines of which only some units are meant; all of it when both are empty."""

    lines: tuple[int, ...] = ()
    parts: tuple[LinePart, ...] = ()


WHOLE_ORDER = LineChoice()


class Presented(Struct, frozen=True, kw_only=True):
    """The proof of a hand-over: a code or token as it was typed or scanned, else the kind of an identity document.

    `proxy` is the name of a person who collects for the customer, `signature` the place where the signature is kept.
    """

    code: str | None = None
    document: str | None = None
    proxy: str = ""
    signature: str = ""


def hand_over(
    secrets: Secrets, order: Order, store: str, presented: Presented, chosen: LineChoice = WHOLE_ORDER
) -> HandOver:
    """The command to hand over lines of an order, or parts of them, by default all of it, against a proof.

    Raises `CodeMisread` for a text that is no code and no token, so that a slip of the keyboard costs no try, and
    `CustomerInvalid` for a proxy's name that cannot be printed.
    """
    for found in text_problems((("The proxy's name", presented.proxy),)):
        raise CustomerInvalid(problem=f"{found}.")
    sealed = secrets.seal(order.customer.id, {"proxy": presented.proxy}) if presented.proxy else ""
    proof, document, hashed = Proof.IDENTITY, Document.NONE, ""
    if presented.code is None:
        document = Document(presented.document) if presented.document is not None else Document.NONE
    elif (token := token_in(presented.code)) is not None:
        proof, hashed = Proof.TOKEN, secrets.codes.hash_of_token(order.order, token)
    elif (code := code_in(presented.code)) is not None:
        proof, hashed = Proof.CODE, secrets.codes.hash_of_code(order.order, code)
    else:
        raise CodeMisread(text=presented.code[:SHOWN_LENGTH_MAX])
    return HandOver(
        store=store,
        proof=proof,
        presented=hashed,
        document=document,
        lines=chosen.lines,
        to=sealed,
        signature=presented.signature,
        parts=chosen.parts,
    )


def token_in(text: str) -> str | None:
    """The token in a scanned text, alone or in a longer text such as a link; None if there is none."""
    found = _TOKEN.search(text.strip().upper())
    return found.group() if found is not None else None


def code_in(text: str) -> str | None:
    """The six digits in a text, with or without spaces and dashes; None if it is anything else.

    Digits of every script are read as digits: full-width and Arabic-Indic ones are on many keyboards.
    """
    digits = [unicodedata.decimal(character, None) for character in _GAPS.sub("", text)]
    if len(digits) != DIGITS or any(digit is None for digit in digits):
        return None
    return "".join(str(digit) for digit in digits)


def number_in(text: str) -> str | None:
    """The order number in a scanned text, alone or in a longer text; None if there is none."""
    whole = parse(text)
    if whole is not None:
        return whole
    numbers = (parse(part) for part in re.split(r"[\s/?&=:#|]+", text.strip()))
    return next((number for number in numbers if number is not None), None)


def is_token_of(codes: Codes, order: Order, token: str) -> bool:
    """Whether a token is the currently valid one of an order."""
    return not order.code.used and is_link_of(codes, order, token)


def is_link_of(codes: Codes, order: Order, token: str) -> bool:
    """Whether a token opens the page of an order: the newest one does, also after it was used at the counter."""
    # Rows of a projection have no hashes: the token is derived again from the version of the code.
    valid = order.code.token_hash or codes.hashes(order.order, order.code.version)[1]
    return hmac.compare_digest(codes.hash_of_token(order.order, token), valid)
