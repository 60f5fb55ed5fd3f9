"""Mail by SMTP: HTML and text, the pickup code as a picture inside.

What is retried and what never is hangs on one moment: once the server has the whole text, a lost connection no longer
tells whether it was taken, and the answer is ``unknown``.
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

from bopis.adapters.notices.errors import MailAway
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.terms import Outcome

PICTURE = "pickup-code"
PICTURE_SCALE = 6
PERMANENT = 500


class MailServer(Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and as whom. ``security`` is tls, starttls or none."""

    host: str
    port: int
    security: str
    sender: str
    username: str = ""
    password: str = ""
    timeout_s: float = 30.0
    context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


class SmtpMail:
    """One connection per mail: few enough, and none is left half dead."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def send(self, letter: Letter) -> Verdict:
        """Hand a mail in; never raises for what a server or a network does."""
        try:
            message = composed(letter, self._server.sender)
        except ValueError:
            return Verdict(outcome=Outcome.REFUSED, cause="the mail address cannot be used")
        client = self._client()
        handed_in = False
        try:
            await self._open(client)
            await client.mail(_plain_address(self._server.sender))
            await client.rcpt(letter.address)
            handed_in = True
            await client.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n", max_line_length=998)))
        except SMTPResponseException as error:
            passing = error.code < PERMANENT
            return Verdict(
                outcome=Outcome.FAILED if passing else Outcome.REFUSED, cause=f"the mail server answered {error.code}"
            )
        except (SMTPException, OSError, TimeoutError) as error:
            outcome = Outcome.UNKNOWN if handed_in else Outcome.FAILED
            return Verdict(outcome=outcome, cause=f"the mail server: {type(error).__name__}")
        finally:
            client.close()
        return Verdict(outcome=Outcome.SENT, provider_id=str(message["Message-ID"]))

    async def check(self) -> str:
        """Who answers as mail server. Raises `MailAway`."""
        client, server = self._client(), self._server
        try:
            await self._open(client)
        except (SMTPException, OSError, TimeoutError) as error:
            raise MailAway(server=f"{server.host}:{server.port}", cause=error) from None
        finally:
            client.close()
        return f"{server.host}:{server.port}"

    async def close(self) -> None:
        """Nothing is kept open."""

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


def composed(letter: Letter, sender: str) -> EmailMessage:
    """The mail. Its id follows from the letter's key, so that a reader's program tells a repeat too.

    Raises `ValueError` when an address is none.
    """
    if not letter.address.isprintable() or "@" not in letter.address:
        raise ValueError("no address")
    message = EmailMessage()
    message["Subject"] = _one_line(letter.words.subject)
    message["From"] = _address(sender)
    message["To"] = Address(display_name=_one_line(letter.name), addr_spec=letter.address)
    message["Date"] = formatdate()
    domain = _plain_address(sender).rpartition("@")[2]
    message["Message-ID"] = f"<{sha256(letter.key.encode()).hexdigest()[:32]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.words.text)
    message.add_alternative(letter.words.html, subtype="html")
    if letter.token:
        part = message.get_payload()[1]  # type: ignore[index]  # a message with an alternative has two parts
        part.add_related(  # type: ignore[union-attr]  # parts of a message are messages
            picture(letter.token), "image", "png", cid=f"<{PICTURE}>", filename="pickup-code.png", disposition="inline"
        )
    return message


def picture(token: str) -> bytes:
    """A token as a QR code in a PNG."""
    sink = BytesIO()
    segno.make(token, error="m", micro=False).save(sink, kind="png", scale=PICTURE_SCALE, border=4)
    return sink.getvalue()


def _address(sender: str) -> Address:
    name, _, rest = sender.rpartition("<")
    return Address(display_name=name.strip(), addr_spec=rest.rstrip("> ").strip())


def _plain_address(sender: str) -> str:
    return _address(sender).addr_spec


def _one_line(text: str) -> str:
    return " ".join("".join(it if it.isprintable() else " " for it in text).split())
