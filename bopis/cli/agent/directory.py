"""The agent's directory and journal on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bopis.cli.app.context import CommandContext
from bopis.journal.journal import Journal
from bopis.journal.limits import MEBIBYTE, JournalLimits
from bopis.settings import Settings

DIRECTORY = "agent"


def agent_directory(settings: Settings) -> Path:
    """The directory of the agent's journal."""
    return settings.data_dir / DIRECTORY


def journal_limits(settings: Settings) -> JournalLimits:
    """The limits of the journal, by the settings."""
    return JournalLimits(
        bytes_max=settings.agent_journal_mebibytes_max * MEBIBYTE,
        disk_free_bytes_min=settings.disk_free_mebibytes_min * MEBIBYTE,
        kept_days=settings.agent_kept_days,
    )


@contextmanager
def opened_journal(ctx: CommandContext) -> Iterator[Journal]:
    """The journal of this machine's agent, whether it runs or not. Raises `JournalMissing`."""
    settings = ctx.settings
    with Journal(agent_directory(settings), settings.agent_store, journal_limits(settings), create=False) as journal:
        yield journal
