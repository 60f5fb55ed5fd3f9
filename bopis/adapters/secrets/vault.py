"""All that is secret in one installation, put together from its settings."""

from collections.abc import Mapping
from pathlib import Path

from bopis.adapters.notices.folders import forget
from bopis.adapters.secrets.codes import Lookups, PickupCodes
from bopis.adapters.secrets.errors import MasterKeyAbsent
from bopis.adapters.secrets.key_table import FILE_NAME, KeyTable
from bopis.adapters.secrets.master import MasterKey, Purpose, make_master_key, master_key
from bopis.adapters.secrets.sealing import seal, unseal
from bopis.settings import Settings

BACKUP_FOLDER = "key-backups"


class Vault:
    """Seals and opens customers' data, and derives what else needs the installation's key."""

    def __init__(self, master: MasterKey, keys: KeyTable, backups: Path) -> None:
        self.keys = keys
        self.backups = backups
        self.codes = PickupCodes(master.derive(Purpose.PICKUP_CODE))
        self.lookups = Lookups(master.derive(Purpose.LOOKUP))
        self.number_key = master.derive(Purpose.ORDER_NUMBER)

    def seal(self, customer: str, fields: Mapping[str, str]) -> str:
        """Named texts of a customer, sealed under the customer's key; the first call makes the key."""
        return seal(self.keys.key_for(customer), customer, fields)

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        """The named texts again; None once the customer was erased. Raises `SealBroken`."""
        key = self.keys.key_of(customer)
        return None if key is None else unseal(key, customer, sealed)

    def remember(self, customer: str, found_by: list[str]) -> None:
        """Make a customer findable by keyed hashes of how they are reached."""
        self.keys.remember(customer, found_by)

    def find(self, lookup: str) -> str | None:
        """The customer that a keyed hash leads to."""
        return self.keys.find(lookup)

    def erase(self, customer: str) -> bool:
        """Make everything sealed for a customer unreadable, everywhere and for ever. True if there was a key."""
        # What the outbox holds was meant to leave; here it still can be taken back.
        forget(self.backups.parent, customer)
        return self.keys.erase(customer, self.backups)

    def close(self) -> None:
        self.keys.close()


def open_vault(settings: Settings) -> Vault:
    """The vault of an installation. The embedded one makes its master key on first use; raises `MasterKeyAbsent`
    elsewhere, because two machines that each made one could not read each other's customers."""
    data_dir = settings.data_dir
    try:
        master = master_key(settings.master_key.get_secret_value(), settings.master_key_file, data_dir)
    except MasterKeyAbsent:
        if not settings.embedded or settings.master_key_file is not None:
            raise
        master = make_master_key(data_dir)
    url = settings.keys_database or f"sqlite:///{data_dir / FILE_NAME}"
    return Vault(master, KeyTable(url, master), data_dir / BACKUP_FOLDER)
