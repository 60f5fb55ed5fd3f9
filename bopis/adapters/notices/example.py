"""Preview of a notice with an invented order."""

from base64 import b64encode
from datetime import datetime, timedelta, timezone
from typing import Any

from msgspec.structs import replace

from bopis.adapters.notices.brand import LOGO, Brand
from bopis.adapters.notices.mail import picture
from bopis.adapters.notices.rendering import TemplateRenderer
from bopis.domain.notices.delivery import RenderedText
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.vocabulary import EndReason

CODED = frozenset({Milestone.READY, Milestone.REMINDER, Milestone.CODE_REISSUED})
TOKEN = "4K7P92QX-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
AT = datetime(2026, 11, 23, 16, 30, tzinfo=timezone(timedelta(hours=-6)))
REFERENCE = "cid:pickup-code"
LINES = (
    {"quantity": 2, "name": "Whole milk 1 l", "unit_cents": 149},
    {"quantity": 1, "name": "Rye bread with sunflower seeds, sliced, 750 g", "unit_cents": 329},
    {"quantity": 300, "unit": "g", "name": "Cheddar, aged twelve months", "unit_cents": 2},
)

LACKING = {
    "name": "Whole milk 1 l",
    "unit": "each",
    "wanted": 2,
    "store": "Main Street",
    "available": 1,
    "other": "Oak Square",
    "other_available": 14,
    "other_metres": 94_000,
}


def example_words(renderer: TemplateRenderer, brand: Brand, milestone: Milestone, language: str) -> RenderedText:
    """The text of a notice about an invented order. Images are embedded in the HTML, so a browser can show them."""
    words = renderer.render(milestone, language, example_facts(milestone))
    html = words.html.replace(REFERENCE, _embedded(picture(TOKEN), "png"))
    if brand.logo is not None:
        html = html.replace(f"cid:{LOGO}", _embedded(brand.logo.content, brand.logo.kind))
    return replace(words, html=html)


def example_facts(milestone: Milestone) -> dict[str, Any]:
    """Facts of an invented order that is paid in the store, as the notifier gives them to templates."""
    coded = milestone in CODED
    opens, closes = AT.replace(hour=8, minute=0), AT.replace(hour=20, minute=0)
    return {
        "order": "4K7P-92QX",
        "milestone": milestone.value,
        "name": "Kim Example",
        "store": {
            "name": "Main Street",
            "address": "12 Main Street, Springfield, IL 62701",
            "map": "https://www.openstreetmap.org/?mlat=39.8&mlon=-89.65#map=17/39.8/-89.65",
            "phone": "+1 217 555 0100",
            "country": "US",
        },
        "wanted_store": "Oak Square" if milestone is Milestone.ALTERNATIVE_OFFERED else "",
        "hours": [
            {"day": AT + timedelta(days=it), "spans": [(opens, closes)] if it < 2 else [], "all_day": it == 2}
            for it in range(4)
        ]
        if coded or milestone is Milestone.ALTERNATIVE_OFFERED
        else [],
        "lines": list(LINES),
        "currency": "USD",
        "pay_in_store": True,
        "ready_by": AT,
        "window_end": AT + timedelta(days=3),
        "answer_by": AT + timedelta(hours=4),
        "happened": AT + timedelta(minutes=42),
        "is_last": False,
        "reason": EndReason.NO_STORE.value if milestone is Milestone.CANCELLED else "4012",
        "reason_name": "Oat milk 1 l",
        "lacking": [LACKING] if milestone is Milestone.CANCELLED else [],
        "reason_cents": 199,
        "code": "274051" if coded else "",
        "picture": REFERENCE if coded else "",
    }


def _embedded(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
