"""How Alembic reaches the read side: on a connection handed over, or on a URL from -x url=… or BOPIS_DATABASE."""

import os

from alembic import context
from sqlalchemy import Connection

from bopis.readside.engine import connect, writing
from bopis.readside.migrate import OPTIONS
from bopis.readside.schema import metadata


def run(connection: Connection) -> None:
    """Run the versions in the transaction of the connection: all or none."""
    context.configure(connection=connection, target_metadata=metadata, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("BOPIS_DATABASE", "")
    if not url:
        raise SystemExit("say which database: BOPIS_DATABASE=URL, or alembic -x url=URL")
    engine = connect(url)
    with writing(engine) as connection:
        run(connection)
    engine.dispose()


main()
