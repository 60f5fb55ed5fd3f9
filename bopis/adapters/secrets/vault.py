"""The vault: sealing, look-ups and derived keys of one installation."""

from collections.abc import Mapping
from pathlib import Path

from bopis.adapters.notices.folders import forget
from bopis.adapters.secrets.codes import Lookups, PickupCodes
from bopis.adapters.secrets.errors import MasterKeyLost, MasterKeyMissing, SecretError
from bopis.adapters.secrets.key_table import FILE_NAME, KeyTable, has_keys
from bopis.adapters.secrets.master import MasterKey, Purpose, make_master_key, master_key
from bopis.adapters.secrets.sealing import seal, unseal
from bopis.settings import Settings
from bopis.wire.characters import cleaned

BACKUP_FOLDER = "key-backups"


class Vault:
    """Implements `bopis.ports.Secrets`: the key table, and keys derived from the master key."""

    def __init__(self, master: MasterKey, keys: KeyTable, backups: Path) -> None:
        self.master = master
        self.keys = keys
        self.backups = backups
        self.codes = PickupCodes(master.derive(Purpose.PICKUP_CODE))
        self.lookups = Lookups(master.derive(Purpose.LOOKUP))
        self.number_key = master.derive(Purpose.ORDER_NUMBER)
        self.session_key = master.derive(Purpose.WEB_SESSION)
        self.webhook_key = master.derive(Purpose.WEBHOOK)

    def seal(self, customer: str, fields: Mapping[str, str]) -> str:
        """Named texts as one sealed value. The first call creates the customer's key."""
        return seal(self.keys.key_for(customer), customer, fields)

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        """The named texts of a sealed value; None after the customer was erased. Raises `SealInvalid`."""
        key = self.keys.key_of(customer)
        fields = None if key is None else unseal(key, customer, sealed)
        # Checked before they are sealed; earlier versions did not.
        return None if fields is None else {name: cleaned(text) for name, text in fields.items()}

    def remember(self, customer: str, lookups: list[str]) -> None:
        """Store the keyed hashes by which `find` returns a customer. A hash returns the customer stored last."""
        self.keys.remember(customer, lookups)

    def find(self, lookup: str) -> str | None:
        """The id of the customer stored under a keyed hash."""
        return self.keys.find(lookup)

    def erase(self, customer: str) -> bool:
        """Make every value sealed for a customer unreadable. Returns whether the customer had a key."""
        # The outbox has copies in clear text; they never left this machine, so they can be deleted.
        forget(self.backups.parent, customer)
        return self.keys.erase(customer, self.backups)

    def last_backup_ms(self) -> int | None:
        """When the newest complete back-up of the installation was made, in epoch milliseconds; None without any."""
        return self.keys.last_backup_ms()

    def close(self) -> None:
        self.keys.close()


def open_vault(settings: Settings) -> Vault:
    """The vault of an installation.

    With the embedded log, the first use creates the master key. With Apache Kafka it raises `MasterKeyMissing`,
    because two machines that each created a key could not open each other's values. Raises `MasterKeyLost` or
    `MasterKeyDiffers` when the customers' keys were wrapped with another master key.
    """
    data_dir = settings.data_dir
    if settings.embedded and settings.master_key_file is None:
        master = master_key_of(settings) or make_master_key(data_dir)
    else:
        master = _master_key(settings)
    keys = KeyTable(keys_url(settings), master)
    try:
        keys.check()
    except SecretError:
        keys.close()
        raise
    return Vault(master, keys, data_dir / BACKUP_FOLDER)


def master_key_of(settings: Settings) -> MasterKey | None:
    """The master key; None for an installation that has none yet, because no customer has ordered. Nothing is created.

    Raises `MasterKeyLost`, `MasterKeyMissing` or `MasterKeyInvalid`.
    """
    try:
        return _master_key(settings)
    except MasterKeyMissing:
        if not has_keys(keys_url(settings)):
            return None
    try:
        # Between the two looks another process may have made the master key, and with it the first customer's.
        return _master_key(settings)
    except MasterKeyMissing as error:
        raise MasterKeyLost(path=error.facts["path"], table=keys_url(settings)) from None


def _master_key(settings: Settings) -> MasterKey:
    return master_key(settings.master_key.get_secret_value(), settings.master_key_file, settings.data_dir)


def check_master_key(settings: Settings) -> None:
    """Raise an error of the master key when customers' keys could not be opened, or made: it is lost, missing, another
    one, or none. Nothing is created."""
    master = master_key_of(settings)
    if master is None and settings.master_key_file is not None:
        raise MasterKeyMissing(path=settings.master_key_file)  # a file that is named is not made
    if master is None or not has_keys(keys_url(settings)):
        return  # the first order makes one
    keys = KeyTable(keys_url(settings), master)
    try:
        keys.check()
    finally:
        keys.close()


def keys_url(settings: Settings) -> str:
    """The database of the customers' keys and of the access over HTTP."""
    return settings.keys_database or f"sqlite:///{settings.data_dir / FILE_NAME}"
