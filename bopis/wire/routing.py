"""Type on the ``routing-shadow`` topic: decisions of a candidate rule set, recorded beside the acting ones."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.sourcing.decision import Decision
from bopis.wire.envelope import Family


class ShadowDecided(Struct, frozen=True, kw_only=True):
    """Decision of a candidate rule set. ``acted`` is the digest of the decision that was acted on."""

    attempt: Annotated[int, Meta(ge=1)]
    acted: str
    decision: Decision


SHADOW = Family({"bopis.routing.shadow_decided.v1": ShadowDecided}, old={})
