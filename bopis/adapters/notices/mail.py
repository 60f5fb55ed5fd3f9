"""Mail by SMTP (RFC 5321): HTML and text, with the pickup code as an inline picture.

The DATA command decides whether a mail may be retried. Before it, a lost connection means that nothing was sent. After
it, the server may have accepted the mail, so the outcome is ``unknown`` and the mail is not sent again.
"""

import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from hashlib import sha256
from io import BytesIO

import segno
from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from msgspec import Struct

from bopis.adapters.notices.brand import LOGO, Brand, Logo
from bopis.adapters.notices.errors import MailServerUnavailable
from bopis.contacts import deliverable
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import SendOutcome

PICTURE = "pickup-code"
PICTURE_SCALE = 6
PERMANENT = 500  # RFC 5321: replies from 500 on are permanent failures


class MailIdentity(Struct, frozen=True, kw_only=True):
    """Sender of mails, ``shop@example.org`` or ``Shop <shop@example.org>``, and the shop's face."""

    sender: str
    brand: Brand = Brand()


class MailServer(Struct, frozen=True, kw_only=True):
    """Address and login of a mail server, and the sender of mails. `security` is tls, starttls or none."""

    host: str
    port: int
    security: str
    identity: MailIdentity
    username: str = ""
    password: str = ""
    timeout_s: float = 30.0
    context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


class SmtpMail:
    """Sends mails, each over a connection of its own: mails are few, and a pooled connection may be dead."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Try once. Errors of the server or the network are results, not exceptions."""
        try:
            mail = composed(message, self._server.identity)
        except ValueError:
            return SendResult(outcome=SendOutcome.REFUSED, cause="the mail address cannot be used")
        client = self._client()
        data_sent = False
        try:
            await self._open(client)
            await client.mail(_plain_address(self._server.identity.sender))
            await client.rcpt(mail["To"].addresses[0].addr_spec)
            data_sent = True
            await client.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n", max_line_length=998)))
        except SMTPResponseException as error:
            is_transient = error.code < PERMANENT
            return SendResult(
                outcome=SendOutcome.FAILED if is_transient else SendOutcome.REFUSED,
                cause=f"the mail server answered {error.code}",
            )
        except (SMTPException, OSError, TimeoutError) as error:
            outcome = SendOutcome.UNKNOWN if data_sent else SendOutcome.FAILED
            return SendResult(outcome=outcome, cause=f"the mail server: {type(error).__name__}")
        finally:
            client.close()
        return SendResult(outcome=SendOutcome.SENT, provider_id=str(mail["Message-ID"]))

    async def check(self) -> str:
        """Connect and log in; returns the server's address. Raises `MailServerUnavailable`."""
        client, server = self._client(), self._server
        try:
            await self._open(client)
        except (SMTPException, OSError, TimeoutError) as error:
            raise MailServerUnavailable(server=f"{server.host}:{server.port}", cause=error) from None
        finally:
            client.close()
        return f"{server.host}:{server.port}"

    async def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=server.timeout_s,
            tls_context=server.context if server.security != "none" else None,
        )

    async def _open(self, client: SMTP) -> None:
        await client.connect()
        if self._server.username:
            await client.login(self._server.username, self._server.password)
        else:
            await client.ehlo()


def composed(message: OutgoingMessage, identity: MailIdentity) -> EmailMessage:
    """The mail for a message. Its Message-ID is derived from the message's key, so that mail programs recognise a
    repeat.

    Raises `ValueError` for an invalid address.
    """
    address = deliverable(message.address)
    if address is None:
        raise ValueError("no address")
    mail = EmailMessage()
    mail["Subject"] = _one_line(message.words.subject)
    mail["From"] = _address(identity.sender, identity.brand.name)
    if identity.brand.reply_to:
        mail["Reply-To"] = identity.brand.reply_to
    mail["To"] = Address(display_name=_one_line(message.name), addr_spec=address)
    mail["Date"] = formatdate()
    domain = _plain_address(identity.sender).rpartition("@")[2]
    mail["Message-ID"] = f"<{sha256(message.key.encode()).hexdigest()[:32]}@{domain}>"
    # RFC 3834: out-of-office programs do not answer such a mail.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.words.text)
    mail.add_alternative(message.words.html, subtype="html")
    logo = identity.brand.logo
    if logo is not None:
        _embed(mail, LOGO, logo)
    if message.token:
        _embed(mail, PICTURE, Logo(picture(message.token), "png"))
    return mail


def _embed(mail: EmailMessage, name: str, image: Logo) -> None:
    """Put an image into a mail, beside its HTML, which refers to it as ``cid:name``."""
    part = mail.get_payload()[1]  # type: ignore[index]  # a mail with an alternative has two parts
    part.add_related(  # type: ignore[union-attr]  # parts of a mail are mails
        image.content, "image", image.kind, cid=f"<{name}>", filename=f"{name}.{image.kind}", disposition="inline"
    )


def picture(token: str) -> bytes:
    """The QR code of a token as a PNG."""
    sink = BytesIO()
    segno.make(token, error="m", micro=False).save(sink, kind="png", scale=PICTURE_SCALE, border=4)
    return sink.getvalue()


def _address(sender: str, brand_name: str = "") -> Address:
    """The address of a sender with its own name, or with the brand's where it has none."""
    name, _, rest = sender.rpartition("<")
    return Address(display_name=_one_line(name) or _one_line(brand_name), addr_spec=rest.rstrip("> ").strip())


def _plain_address(sender: str) -> str:
    return _address(sender).addr_spec


def _one_line(text: str) -> str:
    """A header value without line ends or control characters: names come from outside."""
    return " ".join("".join(it if it.isprintable() else " " for it in text).split())
