"""Every key figure with its definition, in the order in which they are shown."""

from collections.abc import Callable, Sequence

from bopis.readside.kpi import definitions as d
from bopis.readside.kpi.definitions import Definition, Figures, OpenMs
from bopis.readside.kpi.visits import Visit

Made = Callable[[Sequence[Visit], OpenMs], Figures]

_TIMES = {"p50_minutes": "half took at most so long", "p90_minutes": "nine of ten took at most so long"}
_RATE = "share of them, 0 to 1"
DATA_AGE = Definition(
    name="data_age",
    version=1,
    says="How old the news of a store was, over the time asked about.",
    counted=(
        "Over all stores and the whole time: how long the newest thing that a store's devices had told was past. "
        "Kept is every silence that outlasted the store's grace time; whatever else passed counts as fresh."
    ),
    figures={
        "stores": "stores that were ever heard from",
        "fresh": "share of the time in which the news was within the grace time",
        "p95_minutes": "nineteen twentieths of the time it was at most so old; nothing when that is within the grace",
    },
)

_MADE: tuple[tuple[str, Made, str, str, dict[str, str]], ...] = (
    (
        "time_to_ready", d.time_to_ready,
        "How long customers waited until their goods were ready, and whether the promise was kept.",
        "From placing the order to its first being ready in the store, after any rerouting. Orders for a chosen time "
        "count for the promise only. The promise is the first one that the store gave.",
        {
            "ready": "orders that became ready",
            "not_ready": "promised there, but still in work, cancelled or gone elsewhere",
            **_TIMES,
            "p50_open_minutes": "the same in open minutes of the store", "p90_open_minutes": "the same, nine of ten",
            "within_promise": "share of the ready ones that were ready by the promise",
        },
    ),
    (
        "accept_time", d.accept_time,
        "How long stores took to take an order on.",
        "From the promise to the first acceptance in the store. In time is one that nobody had to be reminded of.",
        {"accepted": "orders that were accepted", **_TIMES, "in_time": "share accepted without a reminder"},
    ),
    (
        "first_time_pick", d.first_time_pick,
        "How often everything was on the shelf at the first walk.",
        "Of orders that somebody picked in the store: those of which no line was short there, for whatever cause.",
        {"picked": "orders that were picked", "rate": _RATE},
    ),
    (
        "short_pick", d.short_pick,
        "How many units were missing, and why.",
        "Units that were short in the store by cause (pick: not on the shelf; till: sold to somebody else; staging: "
        "lost or damaged afterwards), of all units that were looked for or sold away. Kits are looked for as their "
        "components and are short as kits.",
        {
            "units": "units looked for, or sold away before", "by_pick": "share not on the shelf",
            "by_till": "share sold at a till", "by_staging": "share lost after picking",
        },
    ),
    (
        "ready_accuracy", d.ready_accuracy,
        "How often ready meant ready.",
        "Of orders that were told ready in the store: those of which it was never taken back.",
        {"ready": "orders that were told ready", "rate": _RATE},
    ),
    (
        "dwell", d.dwell,
        "How long ready goods stood in the store.",
        "From the first being ready to the first hand-over, or to the end of the pickup window.",
        {"ended": "orders that were collected or expired", **_TIMES},
    ),
    (
        "customer_wait", d.customer_wait,
        "How long customers stood at the counter.",
        "From the first arrival to the first hand-over; only of those whose arrival was recorded.",
        {"served": "customers whose arrival was recorded and who were served", **_TIMES},
    ),
    (
        "no_show", d.no_show,
        "How many did not come for their goods.",
        "Of orders that were collected or expired in the store: those of which something expired.",
        {"ended": "orders that were collected or expired", "rate": _RATE},
    ),
    (
        "reroute", d.reroute,
        "How often a store did not prepare what it had promised.",
        "Of orders that were promised in the store: those of which lines left it before they were picked up.",
        {"promised": "orders that were promised", "rate": _RATE},
    ),
    (
        "oversell", d.oversell,
        "How often a promise met an empty shelf, and who found out.",
        "Every time that units which were promised had been sold at a till, or were not on the shelf. Found before the "
        "customer is one that was known before the customer came to the store.",
        {
            "conflicts": "how many there were", "found_before": "how many were found before the customer",
            "found_before_rate": "share of them",
        },
    ),
    (
        "inventory_trust", d.inventory_trust,
        "How well the shelf keeps what the books promise.",
        "Units that pickers found, of those that they looked for.",
        {"units": "units looked for", "rate": _RATE},
    ),
)  # fmt: skip
VERSIONS = dict.fromkeys((name for name, *_ in _MADE), 1)

MADE: dict[str, Made] = {name: made for name, made, *_ in _MADE}
DEFINITIONS: dict[str, Definition] = {
    name: Definition(name=name, version=VERSIONS[name], says=says, counted=counted, figures=figures)
    for name, _, says, counted, figures in _MADE
} | {DATA_AGE.name: DATA_AGE}
