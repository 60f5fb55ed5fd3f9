"""Deliveries and letters as the tests need them."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bopis.adapters.notices.wording import Wording
from bopis.adapters.opening_hours import OsmHours
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.letter import Letter
from bopis.domain.notices.terms import Channel, CustomerRef, Milestone
from bopis.domain.values import HOUR_MS
from bopis.ports import Sender
from bopis.services.directory import StoreRecord
from bopis.services.notifier.notifier import Notifier, Tools
from bopis.services.notifier.quiet import QuietHours
from bopis.settings import Settings
from bopis.wire.catalogue import Article
from tests.notices.book import ORDER, START_MS, Book, one

ANNA = {"name": "Anna Ångström", "email": "anna@example.org", "phone": "+15550100123"}
STORE = StoreRecord(
    store_id="S1",
    name="Main Street",
    city="Springfield",
    state="IL",
    postal_code="62701",
    street="12 Main Street",
    latitude=39.8,
    longitude=-89.65,
    time_zone="America/Chicago",
    opening_hours="Mo-Sa 08:00-20:00",
)


class Desk:
    """A notifier with a vault of its own."""

    def __init__(
        self, home: Path, senders: dict[Channel, Sender] | None = None, quiet: QuietHours | None = None
    ) -> None:
        self.vault: Vault = open_vault(Settings(data_dir=home))
        self.notifier = Notifier(Tools(self.vault, Wording(), OsmHours(), senders or {}, quiet))
        self.notifier.places.stores["S1"] = STORE
        self.notifier.places.articles["A"] = Article(sku="A", name="Milk & <Honey>")

    def due(
        self, milestone: Milestone = Milestone.READY, channel: Channel = Channel.EMAIL, **facts: Any
    ) -> DeliveryDue:
        language = facts.pop("language", "en")
        fields = facts.pop("contact", ANNA)
        sealed = self.vault.seal("c1", fields) if fields else ""
        customer = CustomerRef(id="c1", language=language, channels=(channel,), sealed=sealed)
        told = {"ready_by_ms": START_MS + HOUR_MS, "customer": customer} | facts
        book = Book()
        if milestone is Milestone.NOT_READY:
            book.due(Milestone.READY, **told)  # a correction needs something to correct
        return one(book.due(milestone, **told))

    def letter(self, milestone: Milestone = Milestone.READY, channel: Channel = Channel.EMAIL, **facts: Any) -> Letter:
        made = self.notifier.prepare(ORDER, self.due(milestone, channel, **facts), START_MS)
        assert isinstance(made, Letter), made
        return made


def to(letter: Letter, address: str) -> Letter:
    return replace(letter, address=address)
