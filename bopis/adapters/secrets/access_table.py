"""The tables of API keys, associates and used links, in the database of the customers' keys. Keys and associates are
never deleted: they are the record of who had access when."""

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, select
from sqlalchemy.exc import IntegrityError

from bopis.access.associates import AssociateRecord
from bopis.access.keys import KeyRecord
from bopis.access.session import LINK_S_MAX
from bopis.adapters.secrets.database import connect, create_tables, transaction
from bopis.adapters.secrets.errors import KeyBackupInvalid
from bopis.domain.values import ID_LENGTH_MAX, STORE_LENGTH_MAX

metadata = MetaData()
access_keys = Table(
    "access_key",
    metadata,
    Column("id", String(ID_LENGTH_MAX), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
)
associates = Table(
    "associate",
    metadata,
    Column("store", String(STORE_LENGTH_MAX), primary_key=True),
    Column("name", String(ID_LENGTH_MAX), primary_key=True),
    Column("record", Text, nullable=False),
)
used_links = Table(
    "used_link",
    metadata,
    Column("id", String(ID_LENGTH_MAX), primary_key=True),
    Column("used_ms", BigInteger, nullable=False),
)
# Longer than a link is valid.
USED_LINKS_KEPT_MS = 2 * LINK_S_MAX * 1000


class _Exported(msgspec.Struct):
    """Keys and associates in a back-up."""

    keys: list[KeyRecord]
    associates: list[AssociateRecord]


class AccessTable:
    """API keys by id, associates by store and name, links that were used. Raises `KeyTableUnavailable`."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)
        create_tables(self._engine, metadata)

    def put_key(self, record: KeyRecord) -> None:
        """Store a key, new or changed."""
        row = {"id": record.id, "created_ms": record.created_ms, "record": msgspec.json.encode(record).decode()}
        with transaction(self._engine) as connection:
            connection.execute(access_keys.delete().where(access_keys.c.id == record.id))
            connection.execute(access_keys.insert().values(row))

    def key(self, identity: str) -> KeyRecord | None:
        """The key with an id."""
        with transaction(self._engine) as connection:
            found = connection.scalar(select(access_keys.c.record).where(access_keys.c.id == identity))
        return None if found is None else msgspec.json.decode(found, type=KeyRecord)

    def keys(self) -> list[KeyRecord]:
        """All keys, the newest first."""
        with transaction(self._engine) as connection:
            rows = connection.scalars(select(access_keys.c.record).order_by(access_keys.c.created_ms.desc()))
            return [msgspec.json.decode(row, type=KeyRecord) for row in rows]

    def put_associate(self, record: AssociateRecord) -> None:
        """Store an associate, new or changed."""
        row = {"store": record.store, "name": record.name, "record": msgspec.json.encode(record).decode()}
        with transaction(self._engine) as connection:
            is_same = (associates.c.store == record.store) & (associates.c.name == record.name)
            connection.execute(associates.delete().where(is_same))
            connection.execute(associates.insert().values(row))

    def associate(self, store: str, name: str) -> AssociateRecord | None:
        """One associate of a store."""
        wanted = (associates.c.store == store) & (associates.c.name == name)
        with transaction(self._engine) as connection:
            found = connection.scalar(select(associates.c.record).where(wanted))
        return None if found is None else msgspec.json.decode(found, type=AssociateRecord)

    def associates_of(self, store: str) -> list[AssociateRecord]:
        """The associates of a store by name, also those whose access has ended."""
        with transaction(self._engine) as connection:
            query = select(associates.c.record).where(associates.c.store == store).order_by(associates.c.name)
            return [msgspec.json.decode(row, type=AssociateRecord) for row in connection.scalars(query)]

    def use_link(self, identity: str, now_ms: int) -> bool:
        """Note that a link was used. Returns whether it was the first time, in any process of the installation."""
        try:
            with transaction(self._engine) as connection:
                connection.execute(used_links.delete().where(used_links.c.used_ms < now_ms - USED_LINKS_KEPT_MS))
                connection.execute(used_links.insert().values(id=identity, used_ms=now_ms))
        except IntegrityError:
            return False
        return True

    def exported(self) -> bytes:
        """All keys and associates, for a back-up. It has no secret, only hashes."""
        with transaction(self._engine) as connection:
            every = connection.scalars(select(associates.c.record).order_by(associates.c.store, associates.c.name))
            staff = [msgspec.json.decode(row, type=AssociateRecord) for row in every]
        return msgspec.json.encode(_Exported(keys=self.keys(), associates=staff))

    def restore(self, exported: bytes) -> int:
        """Store the keys and associates of a back-up that are not here; a record that is here stays as it is, so that
        what was revoked here stays revoked. Returns how many were stored. Raises `KeyBackupInvalid`."""
        try:
            found = msgspec.json.decode(exported, type=_Exported)
        except msgspec.MsgspecError as error:
            raise KeyBackupInvalid(path="of access", cause=error) from error
        missing = [it for it in found.keys if self.key(it.id) is None]
        absent = [it for it in found.associates if self.associate(it.store, it.name) is None]
        for key in missing:
            self.put_key(key)
        for associate in absent:
            self.put_associate(associate)
        return len(missing) + len(absent)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
