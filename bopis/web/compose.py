"""Settings to a site: the one place where HTTP meets logs, databases and secrets."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from functools import partial

from bopis.adapters.address import bootstrap_address
from bopis.adapters.log import LogReader
from bopis.adapters.opening_hours import OsmHours
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url, open_vault
from bopis.adapters.security import security_of
from bopis.readside.opening import ReadSide
from bopis.services.routing.live import LiveRouting
from bopis.services.routing.rules_file import read_rules
from bopis.settings import Settings
from bopis.web.access.account import AccountSignIn, account_sign_in
from bopis.web.access.gate import Gate
from bopis.web.access.provider import Provider
from bopis.web.access.sessions import Sessions
from bopis.web.access.tokens import TokenVerifier, token_verifier
from bopis.web.live.follower import Follower
from bopis.web.live.hub import Hub
from bopis.web.live.stock import TOPICS, LiveStock
from bopis.web.site import Site, SiteParts, real_now_ms

# The log answers a waiting fetch as soon as it has something, so a follower, which asks for little else on its
# connection, may wait long; with short waits an idle process sends twenty empty fetches a second.
FOLLOW_WAIT_MS = 500
# Readers of commands ask for the ends of partitions on the same connection, which the log answers in order: behind the
# fetch that the client has sent ahead. A reply would be late by as long as that one waits.
COMMAND_WAIT_MS = 50


@contextmanager
def opened_site(settings: Settings, now_ms: Callable[[], int] = real_now_ms) -> Iterator[Site]:
    """A site on the log, database and secrets that the settings name. Its followers are not started yet.

    `now_ms` is the clock of the log; who may come in is decided by the machine's.

    Raises `LogUnavailable`, the errors of the master key, and those of routing rules.
    """
    options = security_of(settings).client_options()
    timeout_s = settings.publish_timeout_seconds

    def open_reader(wait_ms: int) -> LogReader:
        more = {"fetch_max_wait_ms": wait_ms, **options}
        return LogReader(bootstrap_address(settings), settings.topic_prefix, timeout_seconds=timeout_s, **more)

    open_command_reader = partial(open_reader, COMMAND_WAIT_MS)

    with ExitStack() as stack:
        address = bootstrap_address(settings)
        vault = stack.enter_context(closing(open_vault(settings)))
        access = stack.enter_context(closing(AccessTable(keys_url(settings))))
        publisher = stack.enter_context(
            LogPublisher(address, settings.topic_prefix, linger_ms=0, timeout_seconds=timeout_s, **options)
        )
        read_side = stack.enter_context(closing(ReadSide(settings.database_reader_url)))
        hub, hours = Hub(), OsmHours()
        stock = LiveStock(LiveRouting(hours, read_rules(settings.routing_rules), None, settings.partitions), hub)
        is_secure = is_over_tls(settings)
        tokens, account = identity_provider(settings, vault.session_key)
        gate = Gate(access, Sessions(vault.session_key, is_secure=is_secure), tokens, real_now_ms)
        parts = SiteParts(
            gate, access, vault, publisher, open_command_reader, read_side, stock, hub, hours, now_ms, account
        )
        site = Site(settings, parts)
        site.followers.append(Follower(TOPICS, partial(open_reader, FOLLOW_WAIT_MS), stock.take))
        yield site


def identity_provider(settings: Settings, key: bytes) -> tuple[TokenVerifier | None, AccountSignIn | None]:
    """The check of tokens and the sign-in with accounts of the identity provider in the settings; None where there is
    none. Raises `ChannelMisconfigured` for a file of its secret that cannot be read."""
    if not settings.web_oidc_issuer:
        return None, None
    provider = Provider(settings.web_oidc_issuer)
    tokens = token_verifier(settings, provider)
    return tokens, account_sign_in(settings, provider, tokens, key=key, is_secure=is_over_tls(settings))


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Site]:
    """The site with its followers, on the current loop."""
    for follower in site.followers:
        follower.start()
    try:
        yield site
    finally:
        await site.close()


def is_over_tls(settings: Settings) -> bool:
    """Whether browsers reach it over TLS only."""
    return settings.web_cert_file is not None or settings.web_url.startswith("https://")
