"""A folder of what would have been sent: mails as ``.eml``, everything else as ``.json``.

The way of an installation that has no mail server yet, and of demonstrations. Files lie in a folder per customer and
are readable by their owner only: they hold names and codes.
"""

import asyncio
import os
from pathlib import Path

from bopis.adapters.notices.folders import customer_folder
from bopis.adapters.notices.mail import composed
from bopis.adapters.notices.webhook import body
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.terms import Channel, Outcome

SENDER = "bopis <bopis@localhost.localdomain>"


class Outbox:
    """Writes each letter once, under its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> Verdict:
        """Put a letter into the folder."""
        try:
            path = await asyncio.to_thread(self._write, letter)
        except ValueError:
            return Verdict(outcome=Outcome.REFUSED, cause="the mail address cannot be used")
        except OSError as error:
            return Verdict(outcome=Outcome.FAILED, cause=f"the outbox: {error.strerror}")
        return Verdict(outcome=Outcome.SENT, provider_id=f"outbox/{path.name}")

    async def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, letter: Letter) -> Path:
        is_mail = letter.delivery.channel is Channel.EMAIL
        content = composed(letter, SENDER).as_bytes() if is_mail else body(letter) + b"\n"
        folder = customer_folder(self._folder, letter.customer)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / (letter.key.replace("/", "-") + (".eml" if is_mail else ".json"))
        part = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as sink:
            sink.write(content)
        part.replace(path)
        return path
