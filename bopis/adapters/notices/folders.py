"""Where the outbox keeps what would have been sent: one folder per customer, so that one can be forgotten."""

import shutil
from pathlib import Path
from urllib.parse import quote

FOLDER = "outbox"


def customer_folder(outbox: Path, customer: str) -> Path:
    """A customer's folder, whatever stands in the id."""
    return outbox / f"c-{quote(customer, safe='')}"


def forget(data_dir: Path, customer: str) -> None:
    """Take away everything in the outbox that was meant for a customer."""
    shutil.rmtree(customer_folder(data_dir / FOLDER, customer), ignore_errors=True)
