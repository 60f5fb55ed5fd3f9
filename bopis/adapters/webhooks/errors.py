"""Errors of webhooks. Each docstring is the message.

WebhookError
+-- WebhooksUnavailable      the table of webhooks cannot be used
+-- WebhookDatabaseShared    webhooks and customers' keys would be in one SQLite file
+-- UrlBarred                a receiver's URL may not be used
+-- AddressBarred            the name of a receiver has only addresses that may not be reached
+-- AddressUnknown           the name of a receiver has no address
+-- WebhookSecretUnreadable  a secret was sealed with another master key
"""

from bopis.errors import CONFIGURATION, INVALID_INPUT, UNAVAILABLE, BopisError


class WebhookError(BopisError):
    """Webhooks cannot be used as configured."""


class WebhooksUnavailable(WebhookError):
    """The table of webhooks cannot be used ({cause}). Check webhook_database and keys_database, then try again."""

    exit_code = UNAVAILABLE


class WebhookDatabaseShared(WebhookError):
    """webhook_database and keys_database are the same SQLite file, {url}. Name another file, or leave webhook_database
    empty."""

    exit_code = CONFIGURATION


class UrlBarred(WebhookError):
    """{url} cannot receive webhooks: {cause}."""

    exit_code = INVALID_INPUT


class AddressBarred(WebhookError):
    """{host} has no public address; webhook_private_addresses allows others."""


class AddressUnknown(WebhookError):
    """{host} has no address ({cause})."""


class WebhookSecretUnreadable(WebhookError):
    """The secret of webhook {webhook} was sealed with another master key. Set the key with which this installation was
    created, or rotate the secret."""

    exit_code = CONFIGURATION
