"""Folders of the outbox: one per customer, so that erasing a customer deletes one folder."""

import shutil
from pathlib import Path
from urllib.parse import quote

FOLDER = "outbox"


def customer_folder(outbox: Path, customer: str) -> Path:
    """A customer's folder. The id is escaped, so it cannot name a path outside of the outbox."""
    return outbox / f"c-{quote(customer, safe='')}"


def forget(data_dir: Path, customer: str) -> None:
    """Delete every file of the outbox that was meant for a customer."""
    shutil.rmtree(customer_folder(data_dir / FOLDER, customer), ignore_errors=True)
