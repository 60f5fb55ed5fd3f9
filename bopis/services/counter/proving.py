"""How it is made sure that goods go to the right person: what was shown leaves as a keyed hash, names leave sealed."""

import re

from bopis.domain.orders.messages import HandOver
from bopis.domain.orders.numbers import parse
from bopis.domain.orders.state import Order
from bopis.domain.orders.terms import Document, Proof
from bopis.ports import Codes, Secrets

TOKEN_LENGTH = 26
DIGITS = 6
_TOKEN = re.compile(rf"(?<![A-Z2-7])[A-Z2-7]{{{TOKEN_LENGTH}}}(?![A-Z2-7])")
_CODE = re.compile(rf"\d[\d\s-]{{{DIGITS - 2},}}\d")

Place = tuple[str, tuple[int, ...]]  # a store, and lines of the order; no lines are all of them
Papers = tuple[str | None, str, str]  # kind of identity document, a proxy's name, where the signature is kept


def hand_over(secrets: Secrets, order: Order, place: Place, presented: str | None, papers: Papers) -> HandOver:
    """A hand-over against what was presented, or against an identity document when nothing was."""
    store, lines = place
    document, proxy, signature = papers
    sealed = secrets.seal(order.customer.id, {"proxy": proxy}) if proxy else ""
    if presented is None:
        kind = Document(document) if document is not None else Document.NONE
        return HandOver(store=store, proof=Proof.IDENTITY, document=kind, lines=lines, to=sealed, signature=signature)
    token = token_in(presented)
    if token is not None:
        proof, hashed = Proof.TOKEN, secrets.codes.hash_of_token(order.order, token)
    else:
        proof, hashed = Proof.CODE, secrets.codes.hash_of_code(order.order, presented)
    return HandOver(store=store, proof=proof, presented=hashed, lines=lines, to=sealed, signature=signature)


def token_in(text: str) -> str | None:
    """The token in what a scanner read: alone, or within a longer text such as a link."""
    found = _TOKEN.search(text.strip().upper())
    return found.group() if found is not None else None


def code_in(text: str) -> str | None:
    """The six digits that somebody typed, spaces and dashes or not."""
    digits = "".join(it for it in text if it.isdigit())
    return digits if len(digits) == DIGITS and _CODE.fullmatch(text.strip()) else None


def number_in(text: str) -> str | None:
    """The order number in what a scanner read: alone, or within a longer text."""
    whole = parse(text)
    if whole is not None:
        return whole
    pieces = (parse(it) for it in re.split(r"[\s/?&=:#|]+", text.strip()))
    return next((it for it in pieces if it is not None), None)


def is_token_of(codes: Codes, order: Order, token: str) -> bool:
    """Whether a token is the one that is valid for an order now."""
    wanted = order.code.token_hash
    return bool(wanted) and not order.code.used and codes.hash_of_token(order.order, token) == wanted
