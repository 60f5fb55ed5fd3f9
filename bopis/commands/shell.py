"""What every command has at hand: the settings, where to print, and the ways to the log and the read side.

Heavy libraries are imported when a command first needs them, so that help and completion answer at once.
"""

import getpass
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import NotConfirmed, SettingsBroken

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.adapters.admin import LogAdmin
    from bopis.adapters.copying import CopyWriter
    from bopis.adapters.log import LogReader
    from bopis.adapters.publisher import Publisher
    from bopis.settings import Settings

PIPE_COLUMNS = 200

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, the answer is yes.")]


class Shell:
    """One run of the program. ``flags`` are the settings given on the command line."""

    def __init__(self, flags: dict[str, Any] | None = None, no_input: bool = False) -> None:
        self.flags = {name: value for name, value in (flags or {}).items() if value is not None}
        self.no_input = no_input
        self.json = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings; raises `SettingsBroken` when a value is not sound."""
        from pydantic import ValidationError

        from bopis.settings import load

        try:
            return load(**self.flags)
        except ValidationError as error:
            from bopis.commands.sources import source_of

            told = [(".".join(map(str, it["loc"])), it["msg"].removeprefix("Value error, ")) for it in error.errors()]
            # What does not go together has no one place: its words name the settings.
            problems = "; ".join(
                f"{name} (from {source_of(self.flags, name)}): {words}" if name else words for name, words in told
            )
            raise SettingsBroken(problems=problems) from error
        except (ValueError, OSError) as error:  # a file that is no TOML, or may not be read
            raise SettingsBroken(problems=error) from error

    @cached_property
    def out(self) -> "Console":
        """Where answers go."""
        return _console(sys.stdout)

    @cached_property
    def err(self) -> "Console":
        """Where talk goes: progress, hints, warnings."""
        return _console(sys.stderr)

    def answer(self, document: Any, render: Callable[["Console"], None]) -> None:
        """Print the answer: one JSON document, or what `render` makes of it for people."""
        if self.json:
            from msgspec import json

            sys.stdout.write(json.encode(document, enc_hook=str).decode() + "\n")
        else:
            render(self.out)

    def say(self, text: str) -> None:
        """Say something beside the answer."""
        self.err.print(text, soft_wrap=True, highlight=False, markup=False)

    def confirm(self, action: str, yes: bool) -> None:
        """Ask before something that cannot be taken back; raises `NotConfirmed` when nobody can be asked."""
        if yes:
            return
        if self.no_input or not sys.stdin.isatty():
            raise NotConfirmed(action=action)
        if not typer.confirm(f"{action[0].upper()}{action[1:]}?", err=True):
            raise NotConfirmed(action=action)

    def note_if_idle(self) -> None:
        """Warn that an answer may be old: without the processors the read side stands still."""
        from bopis.adapters.address import embedded_log, is_alive
        from bopis.adapters.supervision import supervisor_of

        folder = self.settings.data_dir
        if not self.settings.embedded or supervisor_of(folder) is not None:
            return
        found = embedded_log(folder)
        if found is None or not is_alive(found.pid):
            self.say(f"Note: nothing runs on {folder}; this is what was known when it stopped.")

    @staticmethod
    def hush() -> None:
        """The client library logs each reconnection; what matters of it comes back as an error."""
        logging.getLogger("kafka").setLevel(logging.CRITICAL)

    @property
    def actor(self) -> str:
        """Who sits at the keyboard."""
        try:
            return os.environ.get("BOPIS_ACTOR") or getpass.getuser()
        except (KeyError, OSError):
            return f"uid-{os.getuid()}"

    @property
    def source(self) -> str:
        """Where messages from this keyboard come from."""
        return f"cli/{self.actor}@{socket.gethostname()}"[:128]

    @cached_property
    def bootstrap(self) -> str:
        """The log's address."""
        from bopis.adapters.address import bootstrap_address

        address = bootstrap_address(self.settings)
        if not self.settings.embedded:
            from bopis.adapters.handshake import shut_out

            self.hush()
            # A client that is not let in tries for seconds before it says so, and then without the cause.
            if refusal := shut_out(address, self._client_options):
                raise refusal
        return address

    @cached_property
    def _client_options(self) -> dict[str, Any]:
        """Who this is to the log, as options of a client."""
        from bopis.adapters.security import security_of

        return security_of(self.settings).client_options()

    @contextmanager
    def reader(self, **options: Any) -> Iterator["LogReader"]:
        """A way to read the log; `options` are the client library's."""
        self.hush()
        from bopis.adapters.log import LogReader

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options | options
        with LogReader(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as reader:
            yield reader

    @contextmanager
    def admin(self) -> Iterator["LogAdmin"]:
        """A way to the log's topics and groups."""
        self.hush()
        from bopis.adapters.admin import LogAdmin

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with LogAdmin(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as admin:
            yield admin

    @contextmanager
    def publisher(self, linger_ms: int = 0) -> Iterator["Publisher"]:
        """A way to write to the log."""
        self.hush()
        from bopis.adapters.publisher import Publisher

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with Publisher(
            self.bootstrap, settings.topic_prefix, linger_ms=linger_ms, timeout_seconds=timeout, **options
        ) as publisher:
            yield publisher

    @contextmanager
    def copier(self) -> Iterator["CopyWriter"]:
        """A way to write to known places of the log."""
        self.hush()
        from bopis.adapters.copying import CopyWriter

        settings = self.settings
        timeout, options = settings.publish_timeout_seconds, self._client_options
        with CopyWriter(self.bootstrap, settings.topic_prefix, timeout_seconds=timeout, **options) as copier:
            yield copier

    @contextmanager
    def engine(self, create: bool = False) -> Iterator["Engine"]:
        """A way to the read side; raises `ReadSideMissing` when it is not there and is not to be made."""
        from bopis.commands.readside_access import opened

        with opened(self.settings, create) as engine:
            yield engine


def open_shell(context: typer.Context, as_json: bool = False) -> Shell:
    """The shell of this run, told how to answer."""
    shell: Shell = context.ensure_object(Shell)
    shell.json = as_json
    return shell


def _console(file: Any) -> "Console":
    from rich.console import Console

    # A pipe has no width; cutting tables at 80 columns would lose what is asked for.
    width = None if file.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return Console(file=file, width=width, highlight=False, emoji=False)
