"""Makes outgoing messages of deliveries that are due, or the results of deliveries that cannot be sent."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.limits import CAUSE_LENGTH_MAX
from bopis.domain.notices.vocabulary import Channel, Milestone, SendOutcome
from bopis.names import CATALOGUE_TOPIC, STORES_TOPIC
from bopis.ports import NoticeRenderer, OpeningHours, Secrets, Sender
from bopis.services.notifier.content import CODED, PICTURE, ReferenceData, facts
from bopis.services.notifier.quiet_hours import QuietHours, waits_until
from bopis.services.store_directory import decode_store
from bopis.wire.catalogue import decode as read_article

TABLE_TOPICS = (STORES_TOPIC, CATALOGUE_TOPIC)
ANSWERED = frozenset({Milestone.ALTERNATIVE_OFFERED, Milestone.SUBSTITUTE_OFFERED})
# The sealed field of a customer with the address of each channel. A webhook has one receiver for all customers.
ADDRESSES = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.CHAT: "phone"}

Row = TypeVar("Row")


class NotifierDependencies(Struct, frozen=True):
    """Everything that the notifier uses, chosen at the composition root."""

    secrets: Secrets
    renderer: NoticeRenderer
    opening_hours: OpeningHours
    senders: Mapping[Channel, Sender]
    quiet: QuietHours | None = None
    # Where the pages of orders are, for links in mails; empty: mails link to none of ours.
    pages_url: str = ""


class Notifier:
    """Prepares and sends deliveries. Its only state are the names of stores and articles."""

    def __init__(self, dependencies: NotifierDependencies) -> None:
        self._dependencies = dependencies
        self.reference = ReferenceData()

    def take(self, topic: str, key: str, value: bytes | None) -> None:
        """Apply one record of TABLE_TOPICS. Raises `ValueError` for an invalid record."""
        if topic == STORES_TOPIC:
            _put(self.reference.stores, key, None if value is None else decode_store(key, value))
        else:
            _put(self.reference.articles, key, None if value is None else read_article(value))

    def prepare(self, order: str, due: DeliveryDue, now_ms: int) -> OutgoingMessage | SendResult:
        """The message of a delivery, or the result if it cannot be sent now. It opens sealed values, so it may query
        the database of keys."""
        # The notices processor decides again: the order may have ended while the delivery waited in the log.
        if now_ms > due.valid_until_ms:
            return SendResult(outcome=SendOutcome.STALE, cause="found too late; it is scheduled again")
        zone = self.reference.store(due.notice.store).time_zone
        until_ms = waits_until(self._dependencies.quiet, due, now_ms, zone)
        if until_ms is not None:
            return SendResult(outcome=SendOutcome.POSTPONED, cause="quiet hours", not_before_ms=until_ms)
        secrets, customer = self._dependencies.secrets, due.customer
        contact = secrets.open(customer.id, customer.sealed) if customer.sealed else {}
        if contact is None:
            return SendResult(outcome=SendOutcome.ERASED, cause="the customer was erased")
        channel = due.delivery.channel
        address = contact.get(ADDRESSES.get(channel, ""), "")
        if channel in ADDRESSES and not address:
            return SendResult(outcome=SendOutcome.NO_ADDRESS, cause=f"the customer gave no {ADDRESSES[channel]}")
        return self._message(order, due, {**contact, "address": address}, now_ms)

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Try once. An exception of a sender is an unknown outcome; its text is dropped, because it may contain an
        address."""
        try:
            result = await self._dependencies.senders[message.delivery.channel].send(message)
        except Exception as error:
            return SendResult(outcome=SendOutcome.UNKNOWN, cause=f"a fault while sending: {type(error).__name__}")
        return msgspec.structs.replace(result, cause=result.cause[:CAUSE_LENGTH_MAX])

    async def close(self) -> None:
        for sender in set(self._dependencies.senders.values()):
            await sender.close()

    def _message(self, order: str, due: DeliveryDue, contact: Mapping[str, str], now_ms: int) -> OutgoingMessage:
        notice, codes = due.notice, self._dependencies.secrets.codes
        # Derived here and nowhere earlier: no event of the log contains a code.
        code = token = ""
        if notice.milestone in CODED:
            code = codes.code(order, due.code_version)
            token = qr_text(order, codes.token(order, due.code_version))
        name = contact.get("name", "")
        for_template = facts(order, due, self.reference, self._dependencies.opening_hours, now_ms)
        for_template |= {"name": name, "code": code, "picture": PICTURE if token else ""}
        if self._dependencies.pages_url:
            page = page_link(self._dependencies.pages_url, order, codes.token(order, due.code_version))
            for_template["links"] |= page_links(page, notice.milestone)
        for_programs: dict[str, object] = {
            "store": notice.store,
            "lines": [{"sku": line.sku, "quantity": line.quantity} for line in notice.lines],
            "ready_by_ms": notice.ready_by_ms,
            "window_end_ms": notice.window_end_ms,
            "answer_by_ms": notice.answer_by_ms,
            "language": due.customer.language,
            "email": contact.get("email", ""),
            "phone": contact.get("phone", ""),
        }
        return OutgoingMessage(
            order=order,
            customer=due.customer.id,
            delivery=due.delivery,
            attempt=due.attempt,
            address=contact["address"],
            name=name,
            words=self._dependencies.renderer.render(notice.milestone, due.customer.language, for_template),
            token=token,
            facts=for_programs,
        )


def qr_text(order: str, token: str) -> str:
    """The content of the QR code: the order, a dash, the token."""
    return f"{order}-{token}"


def page_link(pages_url: str, order: str, token: str) -> str:
    """The link to the page of an order for its customer, which needs no sign-in."""
    return f"{pages_url}/o/{order}/{token}"


def page_links(page: str, milestone: Milestone) -> dict[str, str]:
    """The links of a notice to parts of an order's page; an offer is answered there."""
    links = {"status": page, "cancel": f"{page}#cancel"}
    return links | ({"accept": f"{page}#answer"} if milestone in ANSWERED else {})


def _put(table: dict[str, Row], key: str, row: Row | None) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row
