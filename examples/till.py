"""A whole till: sales that survive a power cut and an offline day, in the order in which they were made."""

import os

from bopis.pos import Condition, PublisherOptions, ReturnLine, SalesPublisher

LOG = os.environ.get("BOPIS_LOG", "127.0.0.1:19092")
SPOOL = os.environ.get("TILL_SPOOL", "till-spool")


def report(message_id: str, error: Exception | None) -> None:
    print(message_id, "is in the log" if error is None else error)


options = PublisherOptions(on_report=report)
with SalesPublisher(LOG, store="319", source="store-319/till-3", spool=SPOOL, options=options) as till:
    till.sale("319-3-000017", {"4011": 2, "852159": 1})
    till.returned("319-3-000018", [ReturnLine(sku="4011", quantity=1, condition=Condition.DAMAGED)])
    till.flush()
