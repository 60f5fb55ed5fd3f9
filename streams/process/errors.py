"""Errors of the composition of workers. Each docstring is the message.

StreamError
+-- GatewaysUnsound     a payment gateway cannot be used as set up
"""

from bopis.errors import CONFIGURATION
from streams.errors import StreamError


class GatewaysUnsound(StreamError):
    """The payment runner cannot run with its settings. Mend what is named, or remove the setting."""

    exit_code = CONFIGURATION
