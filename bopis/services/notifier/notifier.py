"""What becomes of a delivery that is due: a letter, or the reason why there is none. Sending is the adapters' work."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.limits import CAUSE_LENGTH_MAX
from bopis.domain.notices.terms import Channel, Outcome
from bopis.ports import OpeningHours, Secrets, Sender, Wording
from bopis.services.directory import STORES_TOPIC, StoreRecord
from bopis.services.notifier.facts import CODED, PICTURE, Places, facts
from bopis.services.notifier.quiet import QuietHours, waits_until
from bopis.wire.catalogue import CATALOGUE_TOPIC
from bopis.wire.catalogue import decode as read_article

TABLE_TOPICS = (STORES_TOPIC, CATALOGUE_TOPIC)
EVENTS_TOPIC = "notice-events"
ANSWERS_TOPIC = "notices"
# Under which of the customer's sealed fields a channel's address stands; a webhook has one receiver for all.
ADDRESSES = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.CHAT: "phone"}

Row = TypeVar("Row")
_store = msgspec.json.Decoder(StoreRecord)


class Tools(Struct, frozen=True):
    """What the notifier works with; all of it is handed in."""

    secrets: Secrets
    wording: Wording
    opening_hours: OpeningHours
    senders: Mapping[Channel, Sender]
    quiet: QuietHours | None = None


class Notifier:
    """Makes letters from deliveries and has them sent. Nothing is kept but what stores and articles are called."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.places = Places()

    def take(self, topic: str, key: str, value: bytes | None) -> None:
        """Take one row of a table. Raises `ValueError` for what cannot be read; the others still count."""
        if topic == STORES_TOPIC:
            _put(self.places.stores, key, None if value is None else _store.decode(value))
        else:
            _put(self.places.articles, key, None if value is None else read_article(value))

    def prepare(self, order: str, due: DeliveryDue, now_ms: int) -> Letter | Verdict:
        """The letter of a delivery, or why there is none. It opens what is sealed, so it may ask a database."""
        if now_ms > due.valid_until_ms:
            return Verdict(outcome=Outcome.STALE, cause="found too late; asked for anew")
        zone = self.places.store(due.notice.store).time_zone
        until_ms = waits_until(self._tools.quiet, due, now_ms, zone)
        if until_ms is not None:
            return Verdict(outcome=Outcome.POSTPONED, cause="quiet hours", not_before_ms=until_ms)
        contact = self._tools.secrets.open(due.customer.id, due.customer.sealed) if due.customer.sealed else {}
        if contact is None:
            return Verdict(outcome=Outcome.ERASED, cause="the customer was erased")
        channel = due.delivery.channel
        address = contact.get(ADDRESSES.get(channel, ""), "")
        if channel in ADDRESSES and not address:
            return Verdict(outcome=Outcome.NO_ADDRESS, cause=f"the customer gave no {ADDRESSES[channel]}")
        return self._letter(order, due, {**contact, "address": address}, now_ms)

    async def send(self, letter: Letter) -> Verdict:
        """One attempt; what a way raises although it should not is told as unknown, without its words."""
        try:
            verdict = await self._tools.senders[letter.delivery.channel].send(letter)
        except Exception as error:
            return Verdict(outcome=Outcome.UNKNOWN, cause=f"a fault while sending: {type(error).__name__}")
        return msgspec.structs.replace(verdict, cause=verdict.cause[:CAUSE_LENGTH_MAX])

    async def close(self) -> None:
        for sender in set(self._tools.senders.values()):
            await sender.close()

    def _letter(self, order: str, due: DeliveryDue, contact: Mapping[str, str], now_ms: int) -> Letter:
        told, codes = due.notice, self._tools.secrets.codes
        code = token = ""
        if told.milestone in CODED:
            code = codes.code(order, due.code_version)
            token = qr_text(order, codes.token(order, due.code_version))
        known = facts(order, due, self.places, self._tools.opening_hours, now_ms)
        name = contact.get("name", "")
        said = known | {"name": name, "code": code, "picture": PICTURE if token else ""}
        for_machines: dict[str, object] = {
            "store": told.store,
            "lines": [{"sku": it.sku, "quantity": it.quantity} for it in told.lines],
            "ready_by_ms": told.ready_by_ms,
            "window_end_ms": told.window_end_ms,
            "answer_by_ms": told.answer_by_ms,
            "language": due.customer.language,
            "email": contact.get("email", ""),
            "phone": contact.get("phone", ""),
        }
        return Letter(
            order=order,
            customer=due.customer.id,
            delivery=due.delivery,
            attempt=due.attempt,
            address=contact["address"],
            name=name,
            words=self._tools.wording.words(told.milestone, due.customer.language, said),
            token=token,
            facts=for_machines,
        )


def qr_text(order: str, token: str) -> str:
    """What the picture says to a scanner: the order, a dash, the token."""
    return f"{order}-{token}"


def _put(table: dict[str, Row], key: str, row: Row | None) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row
