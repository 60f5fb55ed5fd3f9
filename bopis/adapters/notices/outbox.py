"""A folder of messages that were not sent: mails as ``.eml``, others as ``.json``.

For installations without a mail server, and for demonstrations. Each customer has a folder; files are readable by
their owner only, because they contain names and codes.
"""

import asyncio
import os
from pathlib import Path

from bopis.adapters.notices.folders import customer_folder
from bopis.adapters.notices.mail import MailIdentity, composed
from bopis.adapters.notices.webhook import body
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import Channel, SendOutcome


class Outbox:
    """Writes each message to a file named after its key, so a repeat replaces the file."""

    def __init__(self, folder: Path, identity: MailIdentity) -> None:
        self._folder = folder
        self._identity = identity

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Write the message into the customer's folder."""
        try:
            path = await asyncio.to_thread(self._write, message)
        except ValueError:
            return SendResult(outcome=SendOutcome.REFUSED, cause="the mail address cannot be used")
        except OSError as error:
            return SendResult(outcome=SendOutcome.FAILED, cause=f"the outbox: {error.strerror}")
        return SendResult(outcome=SendOutcome.SENT, provider_id=f"outbox/{path.name}")

    async def close(self) -> None:
        """Do nothing: no file stays open."""

    def _write(self, message: OutgoingMessage) -> Path:
        is_mail = message.delivery.channel is Channel.EMAIL
        content = composed(message, self._identity).as_bytes() if is_mail else body(message) + b"\n"
        folder = customer_folder(self._folder, message.customer)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / (message.key.replace("/", "-") + (".eml" if is_mail else ".json"))
        # Written beside and renamed: a reader of the folder never sees half a mail.
        part = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as sink:
            sink.write(content)
        part.replace(path)
        return path
