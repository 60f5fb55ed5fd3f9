"""`bopis backup` and `bopis restore`: the log, the keys and the access of an installation, in one folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bopis.adapters.backup.making import LogPart, copy_embedded, finish, prepare_folder
from bopis.adapters.backup.manifest import FILE_NAME, Cut, Manifest, read_manifest, require_fit
from bopis.adapters.backup.restoring import RestoredSecrets, check_files, log_restored, require_cut, restore_secrets
from bopis.adapters.secrets.vault import check_master_key
from bopis.broker.files import LOG_FILE
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.progress import Steps, bar
from bopis.cli.app.render import counted, print_line, size
from bopis.cli.operate.config import setting_rows
from bopis.names import PROCESSORS
from bopis.readside import migrate

TOPICS_APART = "The topics are not in it: back them up with the tools of Apache Kafka, at least to these offsets."
MASTER_KEY_APART = "The master key is not in it. Keep a copy of it elsewhere: without it no customer is readable."
NEXT = (
    "bopis up, which fills the read side from the log; then bopis verify",
    "bopis payments reconcile: payments that were made after the back-up are not in the log",
    "erase again every customer, and revoke every key, that was erased or revoked after the back-up",
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the back-up.")]


def backup(
    context: typer.Context,
    folder: Folder,
    with_master_key: Annotated[
        bool, typer.Option("--with-master-key", help="Also copy the master key: the folder alone then shows customers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Back up the log, customers' keys, access over HTTP and the settings, while everything runs.

    DIR must be new or empty. The log is copied as it was at one instant, in all partitions, and every record of the
    copy is checked. The read side is not in it: it is made from the log. On Apache Kafka the topics are not in it
    either: their offsets are, and the topics are backed up with the tools of Apache Kafka.

    Examples:
        bopis backup /mnt/backup/2026-11-30
        bopis backup /mnt/backup/2026-11-30 --with-master-key --json
    """
    ctx = open_context(context, as_json)
    settings = ctx.settings
    check_master_key(settings)
    prepare_folder(folder)
    log = _embedded_part(ctx, folder) if settings.embedded else _kafka_part(ctx)
    manifest = finish(settings, folder, log, setting_rows(ctx), with_master_key=with_master_key)
    document = {"folder": str(folder), **_summary(manifest), "cut": manifest.cut, "groups": manifest.groups}

    def render(out: Console) -> None:
        print_line(out, f"{folder}: {_text(manifest)}")
        if not settings.embedded:
            ctx.note(
                "The topics are not in it: back them up with the tools of Apache Kafka, at least to these offsets."
            )
        if manifest.keys and not manifest.has_master_key:
            ctx.note(
                "The master key is not in it. Keep a copy of it in another place: without it no customer is readable."
            )

    ctx.print_result(document, render)


def restore(context: typer.Context, folder: Folder, yes: Yes = False, as_json: AsJson = False) -> None:
    """Restore a back-up into an installation without a log, then make the read side again from it.

    Every file is compared with its checksum first, and nothing is overwritten: a directory that has a log is refused.
    Keys and access that are there stay, and erased customers stay erased. The read side is emptied; `bopis up` fills it
    again. On Apache Kafka, restore the topics first: this command restores keys and access, and checks the offsets.

    Examples:
        bopis restore /mnt/backup/2026-11-30
        bopis restore /mnt/backup/2026-11-30 --data-dir /var/lib/bopis --yes
    """
    ctx = open_context(context, as_json)
    settings = ctx.settings
    manifest = read_manifest(folder)
    require_fit(manifest, settings)
    place = settings.data_dir if settings.embedded else settings.broker
    ctx.confirm(f"restore the back-up of {manifest.made_at:%Y-%m-%d %H:%M} UTC into {place}", "nothing restored", yes)
    with bar(ctx, "checking", sum(it.bytes for it in manifest.files.values())) as read:
        check_files(folder, manifest, read)
    if settings.embedded:
        with Steps(ctx) as steps, log_restored(folder, manifest, settings.data_dir, lambda _: None):
            steps.show("Restoring")
            restored = _restore_rest(ctx, folder, manifest)
    else:
        _require_topics(ctx, manifest.cut)
        restored = _restore_rest(ctx, folder, manifest)
    document = {"folder": str(folder), **_summary(manifest), "restored": restored._asdict(), "next": NEXT}

    def render(out: Console) -> None:
        print_line(out, f"Restored: {_text(manifest)}")
        keys, records = (
            counted(restored.customers, "key"),
            counted(restored.access, "key or associate", "keys and associates"),
        )
        print_line(out, f"{keys} of customers and {records} of HTTP were missing and are restored")
        for step in NEXT:
            ctx.note(f"Next: {step}")

    ctx.print_result(document, render)


def _embedded_part(ctx: CommandContext, folder: Path) -> LogPart:
    file = ctx.settings.data_dir / LOG_FILE
    with bar(ctx, "copying the log", file.stat().st_size if file.exists() else 0) as advance:
        return copy_embedded(ctx.settings, folder, advance)


def _kafka_part(ctx: CommandContext) -> LogPart:
    with ctx.admin() as admin, ctx.reader() as reader:
        cut: Cut = {}
        for (topic, partition), offset in sorted(reader.end_offsets([it.name for it in admin.topics()]).items()):
            cut.setdefault(f"{ctx.settings.topic_prefix}{topic}", {})[partition] = offset
        return LogPart(cut, admin.committed(list(PROCESSORS)))


def _require_topics(ctx: CommandContext, cut: Cut) -> None:
    prefix = ctx.settings.topic_prefix
    with ctx.reader() as reader:
        require_cut(cut, reader.end_offsets([topic.removeprefix(prefix) for topic in cut]), prefix)


def _restore_rest(ctx: CommandContext, folder: Path, manifest: Manifest) -> RestoredSecrets:
    """Restore keys and access, and empty the read side: its positions may be beyond the end of the log."""
    restored = restore_secrets(ctx.settings, folder, manifest)
    with ctx.engine(create=True) as engine:
        migrate.empty(engine)
    return restored


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "manifest": FILE_NAME,
        "made_at": manifest.made_at,
        "log": manifest.log,
        "records": manifest.records,
        "bytes": sum(it.bytes for it in manifest.files.values()),
        "has_keys": bool(manifest.keys),
        "has_master_key": manifest.has_master_key,
    }


def _text(manifest: Manifest) -> str:
    partitions = sum(map(len, manifest.cut.values()))
    keys = "keys of customers" if manifest.keys else "no customer"
    total = size(sum(it.bytes for it in manifest.files.values()))
    return f"{counted(manifest.records, 'record')} in {counted(partitions, 'partition')}, {keys}, {total}"
