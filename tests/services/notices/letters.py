"""Deliveries and outgoing messages for tests."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bopis.adapters.notices.rendering import TemplateRenderer
from bopis.adapters.opening_hours import OsmHours
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.domain.notices.delivery import OutgoingMessage
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.vocabulary import Channel, CustomerRef, Milestone
from bopis.domain.values import HOUR_MS
from bopis.ports import Sender
from bopis.services.notifier.notifier import Notifier, NotifierDependencies
from bopis.services.notifier.quiet_hours import QuietHours
from bopis.services.store_directory import StoreRecord
from bopis.settings import Settings
from bopis.wire.catalogue import Article
from tests.services.notices.book import ORDER, START_MS, Book, one

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
        self.notifier = Notifier(NotifierDependencies(self.vault, TemplateRenderer(), OsmHours(), senders or {}, quiet))
        self.notifier.reference.stores["S1"] = STORE
        self.notifier.reference.articles["A"] = Article(sku="A", name="Milk & <Honey>")

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

    def letter(
        self, milestone: Milestone = Milestone.READY, channel: Channel = Channel.EMAIL, **facts: Any
    ) -> OutgoingMessage:
        made = self.notifier.prepare(ORDER, self.due(milestone, channel, **facts), START_MS)
        assert isinstance(made, OutgoingMessage), made
        return made


def to(letter: OutgoingMessage, address: str) -> OutgoingMessage:
    return replace(letter, address=address)
