"""Errors about secrets. Each docstring is the message.

SecretError
+-- MasterKeyMissing      no master key is set, and this installation must not make one
+-- MasterKeyLost         there are customers' keys, but not the master key that wrapped them
+-- MasterKeyInvalid      the master key is not 32 bytes in base64
+-- MasterKeyDiffers      the customers' keys were wrapped with another master key
+-- SealInvalid           a sealed value was changed, or was sealed for another customer
+-- KeyTableUnavailable   the table of keys cannot be used
+-- KeyBackupInvalid      a back-up of keys cannot be read
"""

from bopis.errors import CONFIGURATION, INVALID_INPUT, UNAVAILABLE, BopisError


class SecretError(BopisError):
    """Secrets cannot be used as configured."""


class MasterKeyMissing(SecretError):
    """No master key at {path}. Copy the installation's key there, or set BOPIS_MASTER_KEY_FILE or BOPIS_MASTER_KEY;
    without it customers' data stay sealed."""

    exit_code = CONFIGURATION


class MasterKeyLost(SecretError):
    """No master key at {path}, but {table} has keys of customers that were wrapped with it. Copy the key back from
    where it is kept; a new one could not open their data, and was not made."""

    exit_code = CONFIGURATION


class MasterKeyInvalid(SecretError):
    """The master key from {place} is not 32 bytes in base64. Copy the installation's key back from where it is
    kept; only a new installation makes one, with `openssl rand -base64 32`."""

    exit_code = CONFIGURATION


class MasterKeyDiffers(SecretError):
    """The keys in {table} were wrapped with another master key than the one from {place}. Set the key with which this
    installation was created; nothing was changed."""

    exit_code = CONFIGURATION


class SealInvalid(SecretError):
    """A sealed value of customer {customer} cannot be opened: it was changed, or sealed for another customer. Find the
    program that wrote it; the value is not used."""


class KeyTableUnavailable(SecretError):
    """The table of customers' keys cannot be used ({cause}). Check keys_database, then try again."""

    exit_code = UNAVAILABLE


class KeyBackupInvalid(SecretError):
    """The back-up {path} cannot be read ({cause}). Use another back-up."""

    exit_code = INVALID_INPUT
