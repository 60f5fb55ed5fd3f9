"""How the fake gateway behaves: by options, and by tokens that name the behaviour of one card.

Chance is drawn from the seed and the key of a call, never from the order in which calls arrive: a run repeats.
"""

import math
from enum import StrEnum
from statistics import NormalDist
from typing import Annotated
from zlib import crc32

from msgspec import Meta, Struct

from bopis.domain.payments.gateway import DeclineClass

Share = Annotated[float, Meta(ge=0, le=1)]
Milliseconds = Annotated[int, Meta(ge=0, le=10**12)]
Seconds = Annotated[int, Meta(ge=1, le=10**9)]
NORMAL = NormalDist()
DRAWS = 1 << 32
# A challenge's link is open as long as Stripe's redirect, roughly.
CHALLENGE_MS = 3_600_000


class FakeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the fake gateway does. Shares are between 0 and 1 and hold for tokens that name no behaviour.

    ``latency_ms`` is the median of a lognormal distribution with ``latency_sigma``. A time-out closes the connection
    without an answer, or with ``hang`` leaves it open. ``late_ms`` is how much later late things come: callbacks,
    captures that fail, refunds that bounce, authorisations after a time-out. ``accepted`` is the share of captures and
    refunds that are received first and done after ``accepted_ms``. ``rate`` is calls per second (0: any number).
    ``clock_offset_ms`` is added to the clock.
    """

    latency_ms: Annotated[float, Meta(ge=0, le=600_000)] = 0.0
    latency_sigma: Annotated[float, Meta(ge=0, le=3)] = 0.5
    decline: Share = 0.0
    timeout_after: Share = 0.0
    timeout_before: Share = 0.0
    hang: bool = False
    challenge: Share = 0.0
    review: Share = 0.0
    partial: Share = 0.0
    lands_after_close: Share = 0.0
    capture_fails_late: Share = 0.0
    repair: bool = False
    refund_bounces: Share = 0.0
    accepted: Share = 0.0
    accepted_ms: Milliseconds = 200
    duplicate_callbacks: Share = 0.0
    late_callbacks: Share = 0.0
    reorder_callbacks: Share = 0.0
    late_ms: Milliseconds = 2_000
    rate: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    key_life_s: Seconds = 86_400
    life_s: Seconds = 7 * 86_400
    # Visa's for what a merchant initiates: 4 days and 18 hours.
    life_merchant_s: Seconds = 410_400
    multicapture: bool = False
    overcapture_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    adjust: bool = False
    away: bool = False
    retry_after_s: Annotated[int, Meta(ge=0, le=86_400)] = 1
    clock_offset_ms: Annotated[int, Meta(ge=-(10**13), le=10**13)] = 0
    seed: int = 0


class Behaviour(StrEnum):
    """What becomes of an authorisation. The values are the tokens without ``tok_``."""

    OK = "ok"
    SOFT = "soft"
    HARD = "hard"
    NEVER = "never"
    DATA = "data"
    TECHNICAL = "technical"
    AUTHENTICATE = "authenticate"
    SOFT_THEN_OK = "soft_then_ok"
    CHALLENGE = "challenge"
    CHALLENGE_FAIL = "challenge_fail"
    REVIEW = "review"
    REVIEW_REJECT = "review_reject"
    TIMEOUT_AFTER = "timeout_after"
    TIMEOUT_BEFORE = "timeout_before"
    PARTIAL = "partial"
    LATE_OK = "late_ok"
    LANDS_AFTER_CLOSE = "lands_after_close"
    CAPTURE_FAILS = "capture_fails"
    CAPTURE_ACCEPTED = "capture_accepted"
    REFUND_BOUNCES = "refund_bounces"
    MISMATCH = "mismatch"
    GIFT = "gift"


class Refusal(Struct, frozen=True):
    """How a card is declined."""

    decline: DeclineClass
    code: str
    wait_ms: int = 0


REFUSALS = {
    Behaviour.SOFT: Refusal(DeclineClass.SOFT, "insufficient_funds"),
    Behaviour.SOFT_THEN_OK: Refusal(DeclineClass.SOFT, "try_again_later", 1_000),
    Behaviour.HARD: Refusal(DeclineClass.HARD, "transaction_not_allowed"),
    Behaviour.NEVER: Refusal(DeclineClass.NEVER, "stolen_card"),
    Behaviour.DATA: Refusal(DeclineClass.DATA, "expired_card"),
    Behaviour.TECHNICAL: Refusal(DeclineClass.TECHNICAL, "issuer_not_available", 1_000),
    Behaviour.AUTHENTICATE: Refusal(DeclineClass.AUTHENTICATE, "authentication_required"),
}
# What the shares of the options draw for a token that names no behaviour, in this order.
DRAWN = (
    ("decline", Behaviour.SOFT),
    ("challenge", Behaviour.CHALLENGE),
    ("review", Behaviour.REVIEW),
    ("partial", Behaviour.PARTIAL),
    ("lands_after_close", Behaviour.LANDS_AFTER_CLOSE),
)
PARTIAL_PERCENT = 60
NAMED = {it.value: it for it in Behaviour if it not in (Behaviour.GIFT, Behaviour.PARTIAL)}
TOKEN_MARK = "tok_"
GIFT_MARK = "gift_"


class Script(Struct, frozen=True, kw_only=True):
    """What one token does: its behaviour, and for some a number: the per cent approved, or a gift card's balance."""

    behaviour: Behaviour
    number: int = 0
    gift: str = ""
    named: bool = True


def script_of(token: str, key: str, options: FakeOptions) -> Script:
    """The behaviour of a token; what follows a point tells cards of one behaviour apart (``tok_soft.second``)."""
    word = token.partition(".")[0]
    if gift := _gift(word):
        return gift
    name = word.removeprefix(TOKEN_MARK) if word.startswith(TOKEN_MARK) else ""
    head, _, digits = name.rpartition("_")
    if head == Behaviour.PARTIAL and digits.isascii() and digits.isdecimal() and 0 < int(digits) < 100:
        return Script(behaviour=Behaviour.PARTIAL, number=int(digits))
    if name in NAMED:
        return Script(behaviour=NAMED[name])
    for field, behaviour in DRAWN:
        if happens(getattr(options, field), options.seed, f"{key}/{field}"):
            return Script(behaviour=behaviour, number=PARTIAL_PERCENT, named=False)
    return Script(behaviour=Behaviour.OK, named=False)


def _gift(word: str) -> Script | None:
    """A gift card ``gift_<id>_<balance>``: one balance for all tokens of that id."""
    name, _, balance = word.removeprefix(GIFT_MARK).rpartition("_")
    if not (word.startswith(GIFT_MARK) and name and balance.isascii() and balance.isdecimal() and len(balance) <= 12):
        return None
    return Script(behaviour=Behaviour.GIFT, number=int(balance), gift=name)


def drawn(seed: int, name: str) -> float:
    """A number between 0 and 1 for a seed and a name: the same each time."""
    # One checksum changes too little with the last letter, so a second one is mixed in.
    text = f"{seed}/{name}".encode()
    return ((crc32(text) ^ (crc32(text[::-1]) * 2_654_435_761)) % DRAWS + 0.5) / DRAWS


def happens(share: float, seed: int, name: str) -> bool:
    """Whether something of a share happens to what bears this name."""
    return share > 0 and drawn(seed, name) < share


def latency_s(options: FakeOptions, name: str) -> float:
    """How long the call of this name takes: lognormal."""
    if not options.latency_ms:
        return 0.0
    spread = options.latency_sigma * NORMAL.inv_cdf(drawn(options.seed, f"{name}/latency"))
    return options.latency_ms * math.exp(spread) / 1000
