"""How a notice looks, with an order that nobody placed."""

from base64 import b64encode
from datetime import datetime, timedelta, timezone
from pathlib import Path

from msgspec.structs import replace

from bopis.adapters.notices.mail import picture
from bopis.adapters.notices.wording import Wording
from bopis.domain.notices.letter import Words
from bopis.domain.notices.terms import Milestone

CODED = frozenset({Milestone.READY, Milestone.REMINDER, Milestone.CODE_REISSUED})
TOKEN = "4K7P92QX-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
AT = datetime(2026, 11, 23, 16, 30, tzinfo=timezone(timedelta(hours=-6)))
REFERENCE = "cid:pickup-code"


def example_words(folder: Path | None, default: str, milestone: Milestone, language: str) -> Words:
    """The words of a notice about an invented order; the picture stands in the HTML itself."""
    coded = milestone in CODED
    facts = {
        "order": "4K7P-92QX",
        "milestone": milestone.value,
        "name": "Kim Example",
        "store": {
            "name": "Main Street",
            "address": "62701 Springfield, IL",
            "map": "https://www.openstreetmap.org/?mlat=39.8&mlon=-89.65#map=17/39.8/-89.65",
        },
        "hours": [{"day": AT + timedelta(days=it), "times": "08:00–20:00" if it < 2 else ""} for it in range(3)],
        "lines": [{"quantity": 2, "name": "Whole milk 1 l"}, {"quantity": 1, "name": "Rye bread"}],
        "ready_by": AT,
        "window_end": AT + timedelta(days=3),
        "answer_by": AT + timedelta(hours=4),
        "reason": "4012",
        "reason_name": "Oat milk 1 l",
        "code": "274051" if coded else "",
        "picture": REFERENCE if coded else "",
    }
    words = Wording(folder, default).words(milestone, language, facts)
    shown = f"data:image/png;base64,{b64encode(picture(TOKEN)).decode()}"
    return replace(words, html=words.html.replace(REFERENCE, shown))
