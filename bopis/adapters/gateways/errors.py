"""Errors of the payment gateways. Each docstring is the message.

GatewayError
+-- GatewayMisconfigured     a gateway's settings cannot be used
+-- GatewayPackageMissing    a gateway needs a package that is not installed
+-- GatewayUnknown           a payment method names a gateway that is not set up
+-- GatewayUnavailable       a gateway does not answer
+-- LedgerUnreadable         the file of the fake gateway cannot be used
"""

from bopis.errors import CONFIGURATION, UNAVAILABLE, BopisError


class GatewayError(BopisError):
    """Payments cannot be made as configured."""

    exit_code = CONFIGURATION


class GatewayMisconfigured(GatewayError):
    """The gateway {name} cannot be used: {cause}. Correct its settings."""


class GatewayPackageMissing(GatewayError):
    """The gateway {name} needs the package {package}, which is not installed. Install it with `pip install
    bopis[{package}]`, or remove the gateway."""


class GatewayUnknown(GatewayError):
    """No gateway {name!r} is set up; there are: {known}. Correct the payment method, or set the gateway up."""


class GatewayUnavailable(GatewayError):
    """The gateway {name} does not answer ({cause}). Try again later; check its address and the network."""

    exit_code = UNAVAILABLE


class LedgerUnreadable(GatewayError):
    """The ledger of the fake gateway cannot be used: {file}: {cause}. Give another file, or move this one away."""
