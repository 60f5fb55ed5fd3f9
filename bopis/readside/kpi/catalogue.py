"""Every key figure with its definition, in the order in which they are shown."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bopis.readside.kpi import definitions as d
from bopis.readside.kpi.definitions import Definition, Figures, OpenMs
from bopis.readside.kpi.visits import Visit


class VisitKpi(NamedTuple):
    """A key figure that is computed from visits."""

    compute: Callable[[Sequence[Visit], OpenMs], Figures]
    definition: Definition


_TIMES = {"p50_minutes": "half took at most this long", "p90_minutes": "nine of ten took at most this long"}
_RATE = "share of them, 0 to 1"

VISIT_KPIS = (
    VisitKpi(
        d.time_to_ready,
        Definition(
            name="time_to_ready",
            says="Time from the order to ready, and whether the promise was kept.",
            counted="From placing the order to its first ready in the store, after any rerouting. Orders for a chosen "
            "time count for the promise only. The promise is the first one that the store gave.",
            figures={
                "ready": "orders that became ready",
                "not_ready": "promised in the store, but still in work, cancelled or rerouted",
                **_TIMES,
                "p50_open_minutes": "the same in open minutes of the store",
                "p90_open_minutes": "the same, nine of ten",
                "within_promise": "share of the ready orders that were ready by the promise",
            },
        ),
    ),
    VisitKpi(
        d.accept_time,
        Definition(
            name="accept_time",
            says="Time that stores took to accept an order.",
            counted="From the promise to the first acceptance in the store. An order accepted without a reminder is in "
            "time.",
            figures={"accepted": "orders that were accepted", **_TIMES, "in_time": "share accepted without a reminder"},
        ),
    ),
    VisitKpi(
        d.first_time_pick,
        Definition(
            name="first_time_pick",
            says="Share of orders that were complete at the first pick.",
            counted="Of the orders that were picked in the store: those without a short line there.",
            figures={"picked": "orders that were picked", "rate": _RATE},
        ),
    ),
    VisitKpi(
        d.short_pick,
        Definition(
            name="short_pick",
            says="Share of missing units, by cause.",
            counted="Units that were short in the store by cause (pick: not on the shelf; till: sold to another "
            "customer; staging: lost or damaged afterwards), of all units that were looked for or sold away. Kits are "
            "looked for as components and are short as kits.",
            figures={
                "units": "units to pick, and units sold before the pick",
                "by_pick": "share not on the shelf",
                "by_till": "share sold at a till",
                "by_staging": "share lost after picking",
            },
        ),
    ),
    VisitKpi(
        d.ready_accuracy,
        Definition(
            name="ready_accuracy",
            says="Share of ready orders that stayed ready.",
            counted="Of the orders that were announced ready in the store: those whose ready was never withdrawn.",
            figures={"ready": "orders that were announced ready", "rate": _RATE},
        ),
    ),
    VisitKpi(
        d.dwell,
        Definition(
            name="dwell",
            says="Time that ready goods stayed in the store.",
            counted="From the first ready to the first hand-over, or to the end of the pickup window.",
            figures={"ended": "orders that were collected or expired", **_TIMES},
        ),
    ),
    VisitKpi(
        d.customer_wait,
        Definition(
            name="customer_wait",
            says="Time that customers waited at the counter.",
            counted="From the first arrival to the first hand-over, of the customers whose arrival was recorded.",
            figures={"served": "customers with a recorded arrival who were served", **_TIMES},
        ),
    ),
    VisitKpi(
        d.no_show,
        Definition(
            name="no_show",
            says="Share of orders that were not collected.",
            counted="Of the orders that were collected or expired in the store: those with an expired line.",
            figures={"ended": "orders that were collected or expired", "rate": _RATE},
        ),
    ),
    VisitKpi(
        d.reroute,
        Definition(
            name="reroute",
            says="Share of promised orders that the store did not prepare.",
            counted="Of the orders that were promised in the store: those with lines that left it before pickup.",
            figures={"promised": "orders that were promised", "rate": _RATE},
        ),
    ),
    VisitKpi(
        d.oversell,
        Definition(
            name="oversell",
            says="Promises without goods on the shelf, and who found out.",
            counted="Every time that promised units had been sold at a till or were not on the shelf. A conflict that "
            "was known before the customer came to the store is found before the customer.",
            figures={
                "conflicts": "number of conflicts",
                "found_before": "conflicts found before the customer",
                "found_before_rate": "share of them",
            },
        ),
    ),
    VisitKpi(
        d.inventory_trust,
        Definition(
            name="inventory_trust",
            says="Share of promised units that were on the shelf.",
            counted="Units that pickers found, of the units that they looked for.",
            figures={"units": "units to pick", "rate": _RATE},
        ),
    ),
)
DATA_AGE = Definition(
    name="data_age",
    says="Age of the stores' reports.",
    counted="Over all stores and the whole time: the time since the newest report of a store's devices. Only silences "
    "that outlasted the store's grace time are known; all other time counts as fresh.",
    figures={
        "stores": "stores that have ever reported",
        "fresh": "share of the time in which the newest report was within the grace time",
        "p95_minutes": "for 95 % of the time the newest report was at most this old; none within the grace time",
    },
)

DEFINITIONS: dict[str, Definition] = {kpi.definition.name: kpi.definition for kpi in VISIT_KPIS} | {
    DATA_AGE.name: DATA_AGE
}
