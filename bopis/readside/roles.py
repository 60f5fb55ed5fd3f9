"""A PostgreSQL role for dashboards and other readers: it may read the tables of the read side and nothing else."""

import re
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from bopis.readside.engine import POSTGRESQL, kind_of, writing
from bopis.readside.errors import RoleNameUnfit, RoleNotReadOnly, RolesUnsupported
from bopis.readside.migrate import VERSION_TABLE
from bopis.readside.schema import metadata

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ATTRIBUTES = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = %s"
# Rights of the role beside this grant: tables that it owns, roles that it belongs to.
_OTHER_RIGHTS = """
SELECT 'owns ' || relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
UNION ALL
SELECT 'belongs to ' || above.rolname FROM pg_auth_members
JOIN pg_roles AS above ON above.oid = roleid WHERE member = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
LIMIT 3
"""
IDLE_SECONDS_MAX = 60


class Granted(NamedTuple):
    """The result of a grant."""

    role: str
    created: bool
    tables: int


def grant_reader(engine: Engine, role: str, password: str | None, statement_seconds_max: int) -> Granted:
    """Create the role if it does not exist, and let it read the tables of the read side, now and in later versions.

    Its sessions are read-only, and a statement is cancelled after `statement_seconds_max`. A repeat changes the
    password and the limit. Raises `RolesUnsupported` on SQLite, `RoleNameUnfit`, and `RoleNotReadOnly` for a role that
    has other rights.
    """
    if kind_of(engine) != POSTGRESQL:
        raise RolesUnsupported
    if not _NAME.fullmatch(role) or role.startswith("pg_"):
        raise RoleNameUnfit(role=role)
    with writing(engine) as connection:
        created = _ensure(connection, role, password)
        _limit(connection, role, statement_seconds_max)
        names = [*metadata.tables, VERSION_TABLE]
        _grant(connection, role, names)
    return Granted(role, created, len(names))


def _ensure(connection: Connection, role: str, password: str | None) -> bool:
    attributes = connection.exec_driver_sql(_ATTRIBUTES, (role,)).one_or_none()
    name = _name(role)
    if attributes is None:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT")
    else:
        others = [str(right) for (right,) in connection.exec_driver_sql(_OTHER_RIGHTS, {"role": role})]
        if any(attributes) or others:
            raise RoleNotReadOnly(role=role, because=", ".join(others) or "its attributes")
    if password is not None:
        # The server gets the verifier that it stores, so the password itself is in no log.
        driver: Any = connection.connection.driver_connection
        stored = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.exec_driver_sql(f"ALTER ROLE {name} LOGIN PASSWORD {_literal(stored)}")
    return attributes is None


def _limit(connection: Connection, role: str, statement_seconds_max: int) -> None:
    database = _name(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    for setting, value in (
        ("default_transaction_read_only", "on"),
        ("statement_timeout", f"{statement_seconds_max}s"),
        ("idle_in_transaction_session_timeout", f"{IDLE_SECONDS_MAX}s"),
    ):
        where = f"ROLE {_name(role)} IN DATABASE {database}"
        connection.exec_driver_sql(f"ALTER {where} SET {setting} = {_literal(value)}")
    connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database} TO {_name(role)}")


def _grant(connection: Connection, role: str, tables: list[str]) -> None:
    reader = _name(role)
    schema = _name(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {reader}")
    for table in tables:
        connection.exec_driver_sql(f"REVOKE ALL ON {schema}.{_name(table)} FROM {reader}")
        connection.exec_driver_sql(f"GRANT SELECT ON {schema}.{_name(table)} TO {reader}")
    # Later versions create their tables as the role that upgrades, which is the one that grants.
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''").replace("%", "%%") + "'"
