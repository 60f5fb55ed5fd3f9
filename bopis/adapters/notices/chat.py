"""Text messages and chat through apprise, which supports over a hundred providers, each by a URL."""

import asyncio
import logging
from typing import Any
from urllib.parse import quote

from bopis.adapters.notices.errors import ChannelMisconfigured, PackageMissing
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import SendOutcome

ADDRESS = "{to}"


class Chat:
    """Sends the short text of a notice to the address that replaces ``{to}`` in the URL.

    apprise reports only success or failure. A failed message may have arrived, so its outcome is unknown.
    """

    def __init__(self, url: str, setting: str, timeout_s: float = 30.0) -> None:
        self._apprise = _apprise(setting)
        self._url = url
        self._timeout_s = timeout_s
        example = self._apprise.Apprise.instantiate(url.replace(ADDRESS, "15550100123"), suppress_exceptions=True)
        if example is None:
            raise ChannelMisconfigured(setting=setting, cause="apprise does not support this URL")

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Try once. Errors of the provider or the network are results, not exceptions."""
        service = self._apprise.Apprise()
        if not service.add(self._url.replace(ADDRESS, quote(message.address, safe="+"))):
            return SendResult(outcome=SendOutcome.REFUSED, cause="the address cannot be used")
        try:
            succeeded = await asyncio.wait_for(service.async_notify(body=message.words.short), self._timeout_s)
        except Exception as error:
            return SendResult(outcome=SendOutcome.UNKNOWN, cause=f"the provider: {type(error).__name__}")
        if succeeded:
            return SendResult(outcome=SendOutcome.SENT)
        return SendResult(outcome=SendOutcome.UNKNOWN, cause="the provider did not confirm it")

    async def close(self) -> None:
        """Do nothing: no connection stays open."""


def _apprise(setting: str) -> Any:
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise PackageMissing(setting=setting) from error
    # Log lines of apprise contain addresses of customers.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise
