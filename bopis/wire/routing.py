"""The type that a candidate rule set's decisions are written down in, beside those that act."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.sourcing.decision import Decision
from bopis.wire.envelope import Family


class ShadowDecided(Struct, frozen=True, kw_only=True):
    """What a candidate rule set would have decided. ``acted`` is the digest of the decision that was acted on."""

    attempt: Annotated[int, Meta(ge=1)]
    acted: str
    decision: Decision


SHADOW = Family({"bopis.routing.shadow_decided.v1": ShadowDecided}, old={})
