"""`bopis doctor`: check this installation, with a remedy for each problem."""

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from typing import Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from bopis.adapters.address import embedded_log, is_alive
from bopis.adapters.barcodes import gtin14
from bopis.adapters.errors import AdapterError
from bopis.adapters.notices.channels import mail_server
from bopis.adapters.notices.errors import NoticeError
from bopis.adapters.notices.mail import SmtpMail
from bopis.adapters.secrets.database import is_missing_file
from bopis.adapters.secrets.errors import SecretError
from bopis.adapters.secrets.vault import check_master_key
from bopis.adapters.supervision import supervisor_of
from bopis.adapters.web_process import web_health, web_process
from bopis.adapters.webhooks.table import webhooks_url
from bopis.broker.errors import BrokerError
from bopis.broker.files import LOG_FILE
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import open_writer
from bopis.broker.storage.directory_lock import DirectoryLock
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import CommandError
from bopis.cli.app.readside import shown_url
from bopis.cli.app.render import counted, duration, iso, print_line
from bopis.cli.operate.dead_letters import open_letters
from bopis.cli.operate.verify import MISPLACED_ADVICE
from bopis.cli.stock.unknown import unknown_counts, unknown_text
from bopis.cli.web.webhooks import webhook_table
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside import migrate
from bopis.services.code_owners import CodeOwners, contested_text
from bopis.services.dead_letters import misplaced_by_source
from bopis.webhooks.records import SubscriptionState
from bopis.wire.changelog import ROW_DECODERS, ChangelogReader

PYTHON_LEAST = (3, 11)
PACKAGES = ("faust-streaming", "aiokafka", "kafka-python", "msgspec", "sqlalchemy", "alembic", "typer", "rich")
FREE_BYTES_LEAST = 1 << 30
CLOCK_SKEW_MS_MAX = 2_000
NAMED_MAX = 5
KEYED_TOPICS = (STOCK_TOPIC, LEVELS_TOPIC)
OK, WARN, FAIL = "ok", "warning", "failed"


class CheckResult(NamedTuple):
    """The result of one check, the observation, and a remedy where it is not ok."""

    check: str
    result: str
    seen: str
    advice: str = ""


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check Python, packages, disk, log, topics, tables, codes, clock, mail, web, webhooks; exit code 1 if one failed.

    Examples:
        bopis doctor
        bopis doctor --json
    """
    ctx = open_context(context, as_json)
    findings = [finding for check in CHECKS for finding in _carefully(check, ctx)]
    failed = any(finding.result == FAIL for finding in findings)

    def render(out: Console) -> None:
        styles = {OK: "green", WARN: "yellow", FAIL: "bold red"}
        for finding in findings:
            result = (f"{finding.result:<8}", styles[finding.result])
            out.print(Text.assemble(result, f" {finding.check:<16} {finding.seen}"), soft_wrap=True)
            if finding.advice:
                print_line(out, f"{'':<26}{finding.advice}")

    ctx.print_result({"healthy": not failed, "checks": [finding._asdict() for finding in findings]}, render)
    if failed:
        raise typer.Exit(1)


def _carefully(check: Callable[[CommandContext], Iterator[CheckResult]], ctx: CommandContext) -> Iterator[CheckResult]:
    """The findings of a check; an exception in it is a finding, too."""
    name = check.__name__.strip("_").replace("_", " ")
    try:
        yield from check(ctx)
    except Exception as error:
        yield CheckResult(name, FAIL, " ".join(str(error).split()))


def _python(_: CommandContext) -> Iterator[CheckResult]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON_LEAST
    yield CheckResult("python", OK if good else FAIL, version, "" if good else "Install Python 3.11 or newer.")


def _packages(_: CommandContext) -> Iterator[CheckResult]:
    missing = []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    advice = "Install bopis again: make setup." if missing else ""
    yield CheckResult(
        "packages", FAIL if missing else OK, f"missing: {', '.join(missing)}" if missing else "installed", advice
    )


def _settings(ctx: CommandContext) -> Iterator[CheckResult]:
    yield CheckResult("settings", OK, f"data in {ctx.settings.data_dir}, log {ctx.settings.broker}")


def _directory(ctx: CommandContext) -> Iterator[CheckResult]:
    folder = ctx.settings.data_dir
    there = folder if folder.exists() else folder.absolute().parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield CheckResult("directory", FAIL, f"{there} cannot be written", "Change its owner, or give --data-dir.")
        return
    yield CheckResult("directory", OK, f"{folder} can be written" + ("" if folder.exists() else ", it will be created"))
    free = shutil.disk_usage(there).free
    seen = f"{free / (1 << 30):.1f} GiB free"
    few = free < FREE_BYTES_LEAST
    yield CheckResult(
        "disk", WARN if few else OK, seen, "Free some space: at zero, the log cannot be written." if few else ""
    )


def _leftovers(ctx: CommandContext) -> Iterator[CheckResult]:
    settings = ctx.settings
    log = embedded_log(settings.data_dir)
    if log is not None and not is_alive(log.pid):
        seen = f"broker.json names process {log.pid}, which is gone"
        yield CheckResult("leftovers", WARN, seen, "Nothing to do: the next start replaces the file.")
        return
    supervisor = supervisor_of(settings.data_dir)
    seen = f"`bopis up` runs as process {supervisor.pid}" if supervisor else "none"
    yield CheckResult("leftovers", OK, seen)


def _port(ctx: CommandContext) -> Iterator[CheckResult]:
    settings = ctx.settings
    log = embedded_log(settings.data_dir)
    if not settings.embedded or (log is not None and is_alive(log.pid)):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.broker_port))
        except OSError as error:
            advice = "Stop the program that uses it, or set another port: --port, BOPIS_BROKER_PORT."
            yield CheckResult("port", FAIL, f"{settings.broker_port} cannot be used ({error.strerror})", advice)
            return
    yield CheckResult("port", OK, f"{settings.broker_port} is free")


def _log(ctx: CommandContext) -> Iterator[CheckResult]:
    try:
        with ctx.admin() as admin:
            topics = {topic.name: topic for topic in admin.topics()}
            settings = admin.settings([name for name in KEYED_TOPICS if name in topics])
    except AdapterError as error:
        yield CheckResult("log", FAIL, str(error))
        yield from _log_file(ctx)
        return
    yield CheckResult("log", OK, f"answers at {ctx.bootstrap}, {len(topics)} topics")
    yield from _topics(ctx, topics, settings)
    yield from _misplaced(ctx)
    yield from _catalogue(ctx)
    yield from _state(ctx)
    yield from _clock(ctx)


def _log_file(ctx: CommandContext) -> Iterator[CheckResult]:
    """Check the file of an embedded log that nothing serves, as its start does."""
    file = ctx.settings.data_dir / LOG_FILE
    if not ctx.settings.embedded or not file.exists():
        return
    try:
        with DirectoryLock(ctx.settings.data_dir):
            open_writer(file, BrokerLimits()).close()
    except BrokerError as error:
        yield CheckResult("log file", FAIL, str(error))
        return
    except sqlite3.Error as error:
        yield CheckResult("log file", FAIL, f"{file} cannot be read: {error}", "Restore it from a copy.")
        return
    yield CheckResult("log file", OK, f"{file} can be opened")


def _topics(ctx: CommandContext, topics: dict[str, Any], settings: dict[str, list[Any]]) -> Iterator[CheckResult]:
    wrong = []
    for name in KEYED_TOPICS:
        if name not in topics:
            hidden = "" if ctx.settings.broker_security == "plaintext" else ", or hidden from this user"
            wrong.append(f"{name} is absent{hidden}")
            continue
        values = {setting.name: setting.value for setting in settings[name]}
        if topics[name].partitions != ctx.settings.partitions:
            wrong.append(f"{name} has {topics[name].partitions} partitions, the setting is {ctx.settings.partitions}")
        if values.get("message.timestamp.type") != "LogAppendTime":
            wrong.append(f"{name} has message.timestamp.type {values.get('message.timestamp.type')}, not LogAppendTime")
    advice = "`bopis up` creates absent topics; change the others, or choose another --prefix." if wrong else ""
    yield CheckResult("topics", FAIL if wrong else OK, "; ".join(wrong) or "as required", advice)


def _misplaced(ctx: CommandContext) -> Iterator[CheckResult]:
    """Sources whose messages are in partitions that their stores do not belong in."""
    found = misplaced_by_source(open_letters(ctx))
    seen = ", ".join(f"{counted(number, 'message')} of {source}" for source, number in found.items())
    if found:
        yield CheckResult("misplaced", FAIL, f"parked in a wrong partition: {seen}", f"Correct it: {MISPLACED_ADVICE}.")
    else:
        yield CheckResult("misplaced", OK, "no message is in a wrong partition")


def _catalogue(ctx: CommandContext) -> Iterator[CheckResult]:
    """Codes that several articles claim: a scan of one must mean one article."""
    with ctx.reader() as reader:
        found = CodeOwners(reader, gtin14).contested()
    seen = "; ".join(contested_text(it) for it in found[:NAMED_MAX])
    if len(found) > NAMED_MAX:
        seen += f"; and {len(found) - NAMED_MAX:,} more"
    advice = "Import the others again with the codes that they have." if found else ""
    yield CheckResult("catalogue", FAIL if found else OK, seen or "every code belongs to one article", advice)


def _state(ctx: CommandContext) -> Iterator[CheckResult]:
    """Records of state topics that are no rows: a client of the log wrote them by mistake."""
    unreadable: list[str] = []
    with ctx.reader() as reader:
        for topic, decode in ROW_DECODERS.items():
            readers: dict[int, ChangelogReader] = defaultdict(partial(ChangelogReader, decode=decode))
            for record in reader.read(reader.start_offsets([topic]), reader.end_offsets([topic])):
                readers[record.partition].is_row(record)
            unreadable += [f"{topic}/{part}/{it.offset}" for part, read in readers.items() for it in read.skipped]
    seen = f"{counted(len(unreadable), 'record')} without a row, passed over: {', '.join(unreadable[:NAMED_MAX])}"
    advice = "Find the client that writes to this topic; nothing was lost." if unreadable else ""
    yield CheckResult("state", WARN if unreadable else OK, seen if unreadable else "every record is a row", advice)


def _clock(ctx: CommandContext) -> Iterator[CheckResult]:
    """Compare the log's clock with this machine's: the newest record cannot be from the future."""
    with ctx.reader() as reader:
        ends = reader.end_offsets([STOCK_TOPIC])
        last = {where: end - 1 for where, end in ends.items() if end > 0}
        newest = max((record.timestamp_ms for record in reader.read(last, ends)), default=0)
    ahead_ms = newest - int(time.time() * 1000)
    bad = ahead_ms > CLOCK_SKEW_MS_MAX
    seen = f"the newest record is {ahead_ms / 1000:.0f} s in the future" if bad else "agrees with the log"
    yield CheckResult("clock", WARN if bad else OK, seen, "Set this machine's clock (NTP)." if bad else "")


def _database(ctx: CommandContext) -> Iterator[CheckResult]:
    try:
        with ctx.engine() as engine:
            differences = migrate.check(engine)
    except CommandError as error:
        yield CheckResult("database", FAIL, str(error))
        return
    advice = "`bopis db upgrade`; if that does not help, `bopis readside rebuild`." if differences else ""
    yield CheckResult(
        "database",
        FAIL if differences else OK,
        "; ".join(differences) or f"{shown_url(ctx.settings)} is of this version",
        advice,
    )


def _customers_keys(ctx: CommandContext) -> Iterator[CheckResult]:
    """Open one of the customers' keys with the master key."""
    try:
        check_master_key(ctx.settings)
    except SecretError as error:
        yield CheckResult("customers' keys", FAIL, str(error))
        return
    yield CheckResult("customers' keys", OK, "the master key opens them")


def _codes(ctx: CommandContext) -> Iterator[CheckResult]:
    """Codes and stores in messages that no catalogue and no import knows."""
    unknown = unknown_text(unknown_counts(ctx))
    advice = "Import what is missing, or correct the till: `bopis stock unknown` lists each with its source."
    yield CheckResult("codes", WARN if unknown else OK, unknown or "all known", advice if unknown else "")


def _mail(ctx: CommandContext) -> Iterator[CheckResult]:
    """Log in to the mail server as the notifier does; nothing is sent."""
    if not ctx.settings.smtp_host:
        yield CheckResult("mail", OK, "no mail server is set: mails go to the folder outbox of the data directory")
        return
    try:
        server = asyncio.run(SmtpMail(mail_server(ctx.settings)).check())
    except NoticeError as error:
        yield CheckResult("mail", FAIL, str(error))
        return
    yield CheckResult("mail", OK, f"{server} accepts the login")


def _web(ctx: CommandContext) -> Iterator[CheckResult]:
    """Ask the web process of this data directory whether it is ready."""
    found = web_process(ctx.settings.data_dir)
    if found is None:
        supervisor = supervisor_of(ctx.settings.data_dir)
        is_missing = supervisor is not None and any(it.name == "web" for it in supervisor.children)
        advice = "`bopis status` names the cause; `bopis web serve` starts it alone." if is_missing else ""
        seen = "does not run here" if is_missing else "does not run here; `bopis up` or `bopis web serve` starts it"
        yield CheckResult("web", WARN if is_missing else OK, seen, advice)
        return
    health = web_health(found)
    if health.ready:
        yield CheckResult("web", OK, f"ready at {found.url}, its data are {duration(health.age_ms)} old")
        return
    advice = f"Look at its log; end process {found.pid}, and start it again with `bopis up` or `bopis web serve`."
    seen = f"not ready at {found.url}: {health.detail}"
    yield CheckResult("web", WARN if health.alive else FAIL, seen, "" if health.alive else advice)


def _webhooks(ctx: CommandContext) -> Iterator[CheckResult]:
    """Webhooks that were ended by their receivers, or fail."""
    if is_missing_file(webhooks_url(ctx.settings)):
        yield CheckResult("webhooks", OK, "none")
        return
    with webhook_table(ctx) as webhooks:
        found = webhooks.subscriptions()
    bad = [f"{it.id} is {it.state} ({it.reason})" for it in found if it.state is SubscriptionState.DISABLED]
    bad += [f"{it.id} fails since {iso(it.failing_since_ms)}" for it in found if it.failing_since_ms and not it.reason]
    advice = "`bopis webhooks deliveries WEBHOOK` has the errors; `bopis webhooks resume WEBHOOK` lets one go on."
    seen = "; ".join(bad[:NAMED_MAX]) or f"{counted(len(found), 'webhook')}, none fails"
    yield CheckResult("webhooks", WARN if bad else OK, seen, advice if bad else "")


CHECKS: tuple[Callable[[CommandContext], Iterator[CheckResult]], ...] = (
    _python,
    _packages,
    _settings,
    _directory,
    _leftovers,
    _port,
    _log,
    _database,
    _customers_keys,
    _codes,
    _mail,
    _web,
    _webhooks,
)
