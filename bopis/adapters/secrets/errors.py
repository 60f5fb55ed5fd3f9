"""What can go wrong with secrets. Each docstring is the message and says what to do next.

SecretError
+-- MasterKeyAbsent     no master key is set, and none may be made here
+-- MasterKeyBroken     what is set is no key
+-- MasterKeyDiffers    the customers' keys were wrapped by another one
+-- SealBroken          a sealed value was changed, or belongs to somebody else
+-- KeysAway            the table of keys cannot be used
+-- KeyBackupBroken     a back-up of keys cannot be read
"""

from typing import ClassVar


class SecretError(Exception):
    """Something about secrets did not fit together."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class MasterKeyAbsent(SecretError):
    """No master key is at {path}. Copy the installation's key there, or name it by BOPIS_MASTER_KEY_FILE or
    BOPIS_MASTER_KEY; without it customers' data stay sealed."""

    exit_code = 78


class MasterKeyBroken(SecretError):
    """The master key from {place} is not 32 bytes in base64. Make one with `openssl rand -base64 32`."""

    exit_code = 78


class MasterKeyDiffers(SecretError):
    """The keys in {table} were wrapped by another master key than the one from {place}. Set the key that this
    installation began with; nothing was changed."""

    exit_code = 78


class SealBroken(SecretError):
    """A sealed value of customer {customer} does not open: it was changed, or sealed for somebody else. Look for
    what wrote it; the value is not used."""


class KeysAway(SecretError):
    """The table of customers' keys does not answer ({cause}). Check keys_database, then try again."""

    exit_code = 69


class KeyBackupBroken(SecretError):
    """The back-up {path} cannot be read ({cause}). Take another one."""

    exit_code = 5
