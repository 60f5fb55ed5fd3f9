"""Errors of serving HTTP. Each docstring is the message and says what to do next."""

from bopis.errors import ConfigurationError


class NotOnLoopback(ConfigurationError):
    """Other machines reach {host}, and HTTP without TLS would show them keys and customers. Set web_cert_file and
    web_key_file, or web_proxy to the addresses of the proxy that ends TLS."""


class ShopKeyUnreadable(ConfigurationError):
    """The reference shop cannot be served with web_shop_key_file {file}: {cause}. Give a file that contains the key of
    a shop front, or leave the setting empty."""
