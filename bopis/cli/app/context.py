"""Per-invocation context: settings, output, connections to log, read side and vault.

The imports inside these functions are the exception to the rule that imports are at the top: a command pays only for
what it opens. pydantic-settings, the Kafka client and SQLAlchemy take about 0.2 s each, Rich 0.05 s, and every help
text and completion imports this module.
"""

import getpass
import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.cli.app.errors import CommandError, NotConfirmed, SettingsBroken
from bopis.wire.characters import escaped_json, printable

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection, Engine

    from bopis.adapters.admin import LogAdmin
    from bopis.adapters.copying import CopyWriter
    from bopis.adapters.log import LogReader
    from bopis.adapters.publisher import LogPublisher
    from bopis.adapters.secrets.vault import Vault
    from bopis.ports import Log, OrderProjection
    from bopis.services.catalogue import Catalogue
    from bopis.services.exchange import Author
    from bopis.settings import Settings

STORE_VARIABLE = "BOPIS_STORE"
PIPE_COLUMNS = 200
SOURCE_LENGTH_MAX = 128

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
MessageId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Message id; a repeat with the same id and content changes nothing."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the outcome can be read.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Confirm in advance; do not ask.")]


class CommandContext:
    """One invocation of the program. `flags` are the settings given on the command line."""

    def __init__(self, flags: dict[str, Any] | None = None, no_input: bool = False) -> None:
        self.flags = {name: value for name, value in (flags or {}).items() if value is not None}
        self.no_input = no_input
        self.json = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings; raises `SettingsBroken` when a value is not valid."""
        from bopis.settings import SettingsError, explain, load

        try:
            return load(**self.flags)
        except SettingsError as error:
            raise SettingsBroken(problems=explain(error, self.flags)) from error
        except (ValueError, OSError) as error:  # a file that is not TOML, or may not be read
            raise SettingsBroken(problems=error) from error

    @cached_property
    def out(self) -> "Console":
        """Standard output, for results."""
        return _console(sys.stdout)

    @cached_property
    def err(self) -> "Console":
        """Standard error, for progress, hints and warnings."""
        return _console(sys.stderr)

    def print_result(self, document: Any, render: Callable[["Console"], None]) -> None:
        """Print the result: `document` as JSON, or what `render` prints for people."""
        if self.json:
            from msgspec import json

            sys.stdout.write(escaped_json(json.encode(document, enc_hook=str).decode()) + "\n")
        else:
            render(self.out)

    def note(self, text: str) -> None:
        """Print a hint, a warning or an error to standard error."""
        self.err.print(printable(text, lines=True), soft_wrap=True, highlight=False, markup=False)

    def confirm(self, action: str, refusal: str, yes: bool) -> None:
        """Ask before an action that cannot be undone; raises `NotConfirmed` when the answer is no or nobody can be
        asked. `refusal` says what did not happen, for example "not cancelled"."""
        if yes:
            return
        if self.no_input or not sys.stdin.isatty():
            raise NotConfirmed(refusal=refusal)
        if not typer.confirm(f"{action[0].upper()}{action[1:]}?", err=True):
            raise NotConfirmed(refusal=refusal)

    def warn_if_idle(self) -> None:
        """Warn that an answer may be old: without the processors the read side does not change."""
        from bopis.adapters.address import embedded_log, is_alive
        from bopis.adapters.supervision import supervisor_of

        folder = self.settings.data_dir
        if not self.settings.embedded or supervisor_of(folder) is not None:
            return
        log = embedded_log(folder)
        if log is None or not is_alive(log.pid):
            self.note(f"Note: nothing runs on {folder}; this was the state when it stopped.")

    @staticmethod
    def silence_client_log() -> None:
        """The client library logs each reconnection; what matters of it is raised as an error."""
        logging.getLogger("kafka").setLevel(logging.CRITICAL)

    @property
    def actor(self) -> str:
        """The person at the keyboard."""
        try:
            return os.environ.get("BOPIS_ACTOR") or getpass.getuser()
        except (KeyError, OSError):
            return f"uid-{os.getuid()}"

    @property
    def source(self) -> str:
        """The source of messages sent from this keyboard."""
        return f"cli/{self.actor}@{socket.gethostname()}"[:SOURCE_LENGTH_MAX]

    @cached_property
    def bootstrap(self) -> str:
        """HOST:PORT of the log. Raises `NothingRuns` or `LogUnavailable`."""
        from bopis.adapters.address import bootstrap_address

        address = bootstrap_address(self.settings)
        if not self.settings.embedded:
            from bopis.adapters.handshake import find_rejection

            self.silence_client_log()
            # A client that is not let in tries for seconds before it says so, and then without the cause.
            if refusal := find_rejection(address, self._client_options):
                raise refusal
        return address

    def require_log(self) -> None:
        """Raise `NothingRuns` or `LogUnavailable` now rather than after the command's own work."""
        _ = self.bootstrap

    @cached_property
    def _client_options(self) -> dict[str, Any]:
        """Security settings as options of a client."""
        from bopis.adapters.security import security_of

        return security_of(self.settings).client_options()

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The catalogue in the log, read once for a command; an empty one without a log.

        Raises `AccessDenied`: without the right to read it, codes would mean nothing.
        """
        from bopis.adapters.errors import EmbeddedLogNotRunning, LogUnavailable, TopicMissing
        from bopis.services.catalogue import Catalogue, read_catalogue

        try:
            with self.reader() as reader:
                return read_catalogue(reader)
        except (EmbeddedLogNotRunning, LogUnavailable, TopicMissing):
            return Catalogue()

    @contextmanager
    def reader(self, **options: Any) -> Iterator["LogReader"]:
        """Open a reader of the log; `options` are the client library's."""
        self.silence_client_log()
        from bopis.adapters.log import LogReader

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options | options
        with LogReader(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as reader:
            yield reader

    @staticmethod
    def require_topics(reader: "Log", *topics: str) -> None:
        """Raise `TopicMissing` for the first of the topics that does not exist."""
        from bopis.adapters.log import require

        for topic in topics:
            require(reader.end_offsets([topic]), topic)

    @contextmanager
    def admin(self) -> Iterator["LogAdmin"]:
        """Open a client for the log's topics and groups."""
        self.silence_client_log()
        from bopis.adapters.admin import LogAdmin

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with LogAdmin(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as admin:
            yield admin

    def ensure_topic(self, name: str) -> None:
        """Create a topic as the settings plan it, if it is absent."""
        from bopis.adapters.topics import TopicKeeper
        from bopis.topics.definitions import plans

        with self.reader() as reader:
            if reader.end_offsets([name]):
                return
        with self.admin() as admin:
            TopicKeeper(admin).create(plans(self.settings, [name]))

    @contextmanager
    def publisher(self, linger_ms: int = 0) -> Iterator["LogPublisher"]:
        """Open a publisher to the log."""
        self.silence_client_log()
        from bopis.adapters.publisher import LogPublisher

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with LogPublisher(
            self.bootstrap, settings.topic_prefix, linger_ms=linger_ms, timeout_seconds=timeout, **options
        ) as publisher:
            yield publisher

    @contextmanager
    def copier(self) -> Iterator["CopyWriter"]:
        """Open a writer to chosen partitions of the log."""
        self.silence_client_log()
        from bopis.adapters.copying import CopyWriter

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with CopyWriter(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as copier:
            yield copier

    @contextmanager
    def engine(self, create: bool = False) -> Iterator["Engine"]:
        """Open the read side; raises `ReadSideMissing` when there is none and `create` is not set."""
        from bopis.cli.app.readside import opened

        with opened(self.settings, create) as engine:
            yield engine

    @contextmanager
    def snapshot(self) -> Iterator["Connection"]:
        """The read side at one moment, for answers that need several queries. Raises `ReadSideMissing`."""
        from bopis.readside.engine import reading

        with self.engine() as engine, reading(engine) as connection:
            yield connection

    @contextmanager
    def known_orders(self) -> Iterator["OrderProjection | None"]:
        """The orders of the read side; None where there is none, then everything is read from the log."""
        from sqlalchemy.exc import SQLAlchemyError

        from bopis.readside.errors import ReadSideError
        from bopis.readside.queries.orders import OrdersInSql

        with ExitStack() as stack:
            try:
                known = OrdersInSql(stack.enter_context(self.engine()))
                with known.snapshot() as projected:
                    projected.changelog_positions()
            except (CommandError, ReadSideError, SQLAlchemyError):
                known = None
            yield known

    @contextmanager
    def vault(self) -> Iterator["Vault"]:
        """Open the vault of customers' data; raises `MasterKeyAbsent`."""
        from bopis.adapters.secrets.vault import open_vault

        with closing(open_vault(self.settings)) as vault:
            yield vault


def author(ctx: CommandContext) -> "Author":
    """The person at this keyboard as the author of messages."""
    from bopis.services.exchange import Author

    return Author(ctx.source, ctx.actor, lambda: datetime.now(UTC), lambda: str(uuid.uuid4()))


def open_context(context: typer.Context, as_json: bool = False) -> CommandContext:
    """The context of this invocation, with the output format that the command was given."""
    ctx: CommandContext = context.ensure_object(CommandContext)
    ctx.json = as_json
    return ctx


def _console(file: Any) -> "Console":
    from rich.console import Console

    # A pipe has no width; tables cut at 80 columns would lose cells.
    width = None if file.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    # Markup is off: what is printed comes from files, tills and customers, and may have brackets.
    return Console(file=file, width=width, highlight=False, emoji=False, markup=False)
