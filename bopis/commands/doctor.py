"""`bopis doctor`: what keeps this installation from working, and what to do about it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

PYTHON_LEAST = (3, 11)
PACKAGES = ("faust-streaming", "aiokafka", "kafka-python", "msgspec", "sqlalchemy", "alembic", "typer", "rich")
FREE_BYTES_LEAST = 1 << 30
CLOCK_SKEW_MS_MAX = 2_000
KEYED_TOPICS = ("stock", "inventory-levels")
OK, WARN, FAIL = "ok", "warning", "failed"


class Finding(NamedTuple):
    """One check: how it came out, what was seen, and what to do when it is not well."""

    check: str
    result: str
    seen: str
    advice: str = ""


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check Python, packages, disk, log, topics, tables, clock, mail server, leftovers; exit code 1 if any failed."""
    shell = open_shell(context, as_json)
    findings = [finding for check in CHECKS for finding in _carefully(check, shell)]
    failed = any(it.result == FAIL for it in findings)

    def render(out: "Console") -> None:
        from rich.text import Text

        styles = {OK: "green", WARN: "yellow", FAIL: "bold red"}
        for it in findings:
            out.print(
                Text.assemble((f"{it.result:<8}", styles[it.result]), f" {it.check:<16} {it.seen}"), soft_wrap=True
            )
            if it.advice:
                out.print(f"{'':<26}{it.advice}", markup=False, soft_wrap=True)

    shell.answer({"healthy": not failed, "checks": [it._asdict() for it in findings]}, render)
    if failed:
        raise typer.Exit(1)


def _carefully(check: Callable[[Shell], Iterator[Finding]], shell: Shell) -> Iterator[Finding]:
    """A check that falls is a finding, too."""
    name = check.__name__.strip("_").replace("_", " ")
    try:
        yield from check(shell)
    except Exception as error:
        yield Finding(name, FAIL, " ".join(str(error).split()))


def _python(_: Shell) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON_LEAST
    yield Finding("python", OK if good else FAIL, version, "" if good else "Install Python 3.11 or newer.")


def _packages(_: Shell) -> Iterator[Finding]:
    from importlib import metadata

    missing = []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    advice = "Install bopis again: make setup." if missing else ""
    yield Finding("packages", FAIL if missing else OK, f"missing: {', '.join(missing)}" if missing else "there", advice)


def _settings(shell: Shell) -> Iterator[Finding]:
    yield Finding("settings", OK, f"data in {shell.settings.data_dir}, log {shell.settings.broker}")


def _directory(shell: Shell) -> Iterator[Finding]:
    folder = shell.settings.data_dir
    there = folder if folder.exists() else folder.absolute().parent
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("directory", FAIL, f"{there} cannot be written", "Change its owner, or give --data-dir.")
        return
    yield Finding("directory", OK, f"{folder} can be written" + ("" if folder.exists() else ", it will be made"))
    free = shutil.disk_usage(there).free
    seen = f"{free / (1 << 30):.1f} GiB free"
    few = free < FREE_BYTES_LEAST
    yield Finding("disk", WARN if few else OK, seen, "Free some space: at zero, writing stops." if few else "")


def _leftovers(shell: Shell) -> Iterator[Finding]:
    from bopis.adapters.address import embedded_log, is_alive
    from bopis.adapters.supervision import supervisor_of

    settings = shell.settings
    log = embedded_log(settings.data_dir)
    if log is not None and not is_alive(log.pid):
        yield Finding(
            "leftovers",
            WARN,
            f"the log's note names process {log.pid}, which is gone",
            "Nothing to do: the next start replaces it.",
        )
        return
    supervisor = supervisor_of(settings.data_dir)
    seen = f"`bopis up` runs as process {supervisor.pid}" if supervisor else "none"
    yield Finding("leftovers", OK, seen)


def _port(shell: Shell) -> Iterator[Finding]:
    import socket

    from bopis.adapters.address import embedded_log, is_alive

    settings = shell.settings
    log = embedded_log(settings.data_dir)
    if not settings.embedded or (log is not None and is_alive(log.pid)):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.broker_port))
        except OSError as error:
            advice = "Stop who has it, or set another one: --port, BOPIS_BROKER_PORT."
            yield Finding("port", FAIL, f"{settings.broker_port} cannot be used ({error.strerror})", advice)
            return
    yield Finding("port", OK, f"{settings.broker_port} is free")


def _log(shell: Shell) -> Iterator[Finding]:
    from bopis.adapters.errors import AdapterError

    try:
        with shell.admin() as admin:
            topics = {it.name: it for it in admin.topics()}
            settings = admin.settings([it for it in KEYED_TOPICS if it in topics])
    except AdapterError as error:
        yield Finding("log", FAIL, str(error))
        return
    yield Finding("log", OK, f"answers at {shell.bootstrap}, {len(topics)} topics")
    yield from _topics(shell, topics, settings)
    yield from _clock(shell)


def _topics(shell: Shell, topics: dict[str, Any], settings: dict[str, list[Any]]) -> Iterator[Finding]:
    wrong = []
    for name in KEYED_TOPICS:
        if name not in topics:
            hidden = "" if shell.settings.broker_security == "plaintext" else ", or hidden from this user"
            wrong.append(f"{name} is absent{hidden}")
            continue
        told = {it.name: it.value for it in settings[name]}
        if topics[name].partitions != shell.settings.partitions:
            wrong.append(f"{name} has {topics[name].partitions} partitions, set are {shell.settings.partitions}")
        if told.get("message.timestamp.type") != "LogAppendTime":
            wrong.append(f"{name} has message.timestamp.type {told.get('message.timestamp.type')}, not LogAppendTime")
    advice = "`bopis up` creates what is absent; alter the rest, or choose another --prefix." if wrong else ""
    yield Finding("topics", FAIL if wrong else OK, "; ".join(wrong) or "fit", advice)


def _clock(shell: Shell) -> Iterator[Finding]:
    """The log's clock against this one, by the newest record: it cannot be from the future."""
    import time

    with shell.reader() as reader:
        ends = reader.end_offsets(["stock"])
        first = {where: end - 1 for where, end in ends.items() if end > 0}
        newest = max((it.timestamp_ms for it in reader.read(first, ends)), default=0)
    ahead_ms = newest - int(time.time() * 1000)
    bad = ahead_ms > CLOCK_SKEW_MS_MAX
    seen = f"the newest record is {ahead_ms / 1000:.0f} s in the future" if bad else "agrees with the log"
    yield Finding("clock", WARN if bad else OK, seen, "Set this machine's clock (NTP)." if bad else "")


def _database(shell: Shell) -> Iterator[Finding]:
    from bopis.commands.errors import CommandError
    from bopis.commands.readside_access import shown_url
    from bopis.readside import migrate

    try:
        with shell.engine() as engine:
            differences = migrate.check(engine)
    except CommandError as error:
        yield Finding("database", FAIL, str(error))
        return
    advice = "`bopis db upgrade`; if that does not help, `bopis readside rebuild`." if differences else ""
    yield Finding(
        "database", FAIL if differences else OK, "; ".join(differences) or f"{shown_url(shell.settings)} fits", advice
    )


def _mail(shell: Shell) -> Iterator[Finding]:
    """The mail server, as the notifier would use it; nothing is sent."""
    import asyncio

    from bopis.adapters.notices.channels import mail_server
    from bopis.adapters.notices.errors import NoticeError
    from bopis.adapters.notices.mail import SmtpMail

    if not shell.settings.smtp_host:
        yield Finding("mail", OK, "no mail server is set: mails go to the folder outbox in the data directory")
        return
    try:
        server = asyncio.run(SmtpMail(mail_server(shell.settings)).check())
    except NoticeError as error:
        yield Finding("mail", FAIL, str(error))
        return
    yield Finding("mail", OK, f"{server} lets us in")


CHECKS: tuple[Callable[[Shell], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _settings,
    _directory,
    _leftovers,
    _port,
    _log,
    _database,
    _mail,
)


def register(root: typer.Typer) -> None:
    root.command()(doctor)
