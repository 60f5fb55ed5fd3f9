"""Where a receiver's URL may lead: https to public addresses only, unless a setting allows others.

The name is resolved before each connection, and the connection goes to the address that was checked: a name that
changes its address in between (DNS rebinding) leads nowhere else.
"""

import asyncio
import re
import socket
import time
from concurrent.futures import Executor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from bopis.adapters.webhooks.errors import AddressBarred, AddressUnknown, UrlBarred
from bopis.webhooks.records import URL_LENGTH_MAX

ADDRESSES_MAX = 3
# How long addresses of a name are used, and how long a name without any is not asked for again.
KNOWN_S, UNKNOWN_S = 30.0, 5.0
NAT64 = IPv6Network("64:ff9b::/96")
PORTS = {"https": 443, "http": 80}
PORT_MAX = 65_535
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?")
Address = IPv4Address | IPv6Address


def checked_url(text: str, *, allow_private: bool) -> httpx.URL:
    """A receiver's URL. Raises `UrlBarred` for one that is malformed, not https, with a user or a fragment, or with an
    address that is not public."""
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
        literal = _literal(host)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise UrlBarred(url=repr(text), cause="it is no URL; write https://HOST/PATH") from None
    cause = ""
    if url.scheme not in ("https", "http") or (literal is None and not NAME.fullmatch(url.raw_host.decode())):
        cause = "write https://HOST/PATH"
    elif url.scheme == "http" and not allow_private:
        cause = "write https://; webhook_private_addresses allows http"
    elif url.userinfo or url.fragment:
        cause = "leave user, password and fragment out"
    elif len(text) > URL_LENGTH_MAX or not text.isprintable():
        cause = f"a URL has at most {URL_LENGTH_MAX} printable characters"
    elif port is not None and not 0 < port <= PORT_MAX:
        cause = f"a port is a number from 1 to {PORT_MAX}"
    elif literal is not None and not allow_private and not is_public(literal):
        cause = "the address is not public; webhook_private_addresses allows others"
    if cause:
        raise UrlBarred(url=repr(text), cause=cause)
    return url


def is_public(address: Address) -> bool:
    """Whether an address is reached over the internet: global, no multicast, and no other address inside of it that is
    not (IPv4 in IPv6, 6to4, Teredo, NAT64)."""
    if isinstance(address, IPv6Address):
        teredo = address.teredo or ()
        inner = (address.ipv4_mapped, address.sixtofour, *teredo)
        if address in NAT64:
            inner = (*inner, IPv4Address(int(address) & 0xFFFF_FFFF))
        if not all(is_public(it) for it in inner if it is not None):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast


class Resolver:
    """The addresses of one receiver's name, asked for by one request at a time and remembered for some seconds."""

    def __init__(self, threads: Executor, *, allow_private: bool) -> None:
        self._threads = threads
        self._allow_private = allow_private
        self._asking = asyncio.Lock()
        self._known: tuple[str, float, tuple[str, ...]] = ("", 0.0, ())

    async def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """The addresses that a URL may be reached at. Raises `AddressUnknown` or `AddressBarred`."""
        async with self._asking:
            host, until, found = self._known
            if host != url.host or time.monotonic() > until:
                found = await self._resolve(url)
                self._known = url.host, time.monotonic() + (KNOWN_S if found else UNKNOWN_S), found
        if not found:
            raise AddressUnknown(host=url.host, cause="the name is not known, or its servers do not answer")
        allowed = tuple(it for it in found if self._allow_private or is_public(ip_address(it)))
        if not allowed:
            raise AddressBarred(host=url.host)
        return allowed[:ADDRESSES_MAX]

    async def _resolve(self, url: httpx.URL) -> tuple[str, ...]:
        if (literal := _literal(url.host)) is not None:
            return (str(literal),)
        port = url.port or PORTS[url.scheme]
        # In threads of their own: a name server that is silent for long must not keep other work from a thread.
        asked = asyncio.get_running_loop().run_in_executor(self._threads, _ask, url.raw_host.decode(), port)
        return await asked


def _ask(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    # An address with a zone (fe80::1%eth0) is of one link only.
    return tuple(dict.fromkeys(str(it[4][0]).partition("%")[0] for it in found))


def _literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name. An address in the short or numeric form of inet_aton is
    no name of ours either: the resolver makes an address of it, which is checked as any other."""
    try:
        return ip_address(host)
    except ValueError:
        return None
