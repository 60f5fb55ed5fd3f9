"""Stripe's client library on our own connections: our time-outs, no silent retries, imported when it is needed.

The library alone waits 80 s, repeats twice, keeps 100 connections, and takes 0.3 s to import.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import httpx
from msgspec.structs import replace

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayPackageMissing
from bopis.adapters.gateways.network import Connections, timeouts

ADDRESS = "https://api.stripe.com"


def library(name: str) -> ModuleType:
    """The client library. Raises `GatewayPackageMissing`; `name` is the gateway that needs it."""
    try:
        import stripe
    except ImportError as error:
        raise GatewayPackageMissing(name=name, package="stripe") from error
    return stripe


def client_of(config: GatewayConfig) -> tuple[Any, Connections]:
    """A client of the library that sends over connections of ours, and these."""
    import stripe

    config = replace(config, url=config.url or ADDRESS)
    connections = Connections(config)
    extensions = {"timeout": timeouts(config).as_dict()}

    failure: Any = stripe.APIConnectionError

    class Transport(stripe.HTTPClient):
        """The library's way to send requests."""

        name = "httpx"

        async def request_async(
            self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
        ) -> tuple[bytes, int, Mapping[str, str]]:
            try:
                request = httpx.Request(
                    method.upper(), url, headers=headers, content=post_data or None, extensions=extensions
                )
                response = await connections.send(request)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                # The cause tells whether anything was sent; the library's own error does not.
                raise failure(type(error).__name__, should_retry=False) from error
            return response.content, response.status_code, response.headers

    client = stripe.StripeClient(
        config.api_key,
        base_addresses={"api": config.url},
        max_network_retries=0,
        http_client=Transport(async_fallback_client=None),
    )
    return client, connections
