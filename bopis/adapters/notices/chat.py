"""Text messages and chat through apprise, which knows a hundred providers by a URL of its own for each."""

import asyncio
import logging
from typing import Any
from urllib.parse import quote

from bopis.adapters.notices.errors import ChannelUnsound, ExtraMissing
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.terms import Outcome

ADDRESS = "{to}"


class Chat:
    """Says the short words to the address that the URL has a place for: ``{to}``.

    apprise tells only whether it worked, not whether a failed message may have arrived: then it is unknown.
    """

    def __init__(self, url: str, setting: str, timeout_s: float = 30.0) -> None:
        self._apprise = _apprise(setting)
        self._url = url
        self._timeout_s = timeout_s
        example = self._apprise.Apprise.instantiate(url.replace(ADDRESS, "15550100123"), suppress_exceptions=True)
        if example is None:
            raise ChannelUnsound(setting=setting, cause="apprise does not know such a URL; see its list of services")

    async def send(self, letter: Letter) -> Verdict:
        """Say it; never raises for what a provider or a network does."""
        service = self._apprise.Apprise()
        if not service.add(self._url.replace(ADDRESS, quote(letter.address, safe="+"))):
            return Verdict(outcome=Outcome.REFUSED, cause="the address cannot be used")
        try:
            told = await asyncio.wait_for(service.async_notify(body=letter.words.short), self._timeout_s)
        except Exception as error:
            return Verdict(outcome=Outcome.UNKNOWN, cause=f"the provider: {type(error).__name__}")
        if told:
            return Verdict(outcome=Outcome.SENT)
        return Verdict(outcome=Outcome.UNKNOWN, cause="the provider did not confirm it")

    async def close(self) -> None:
        """Nothing is kept open."""


def _apprise(setting: str) -> Any:
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise ExtraMissing(setting=setting) from error
    # Its own log lines name addresses.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise
