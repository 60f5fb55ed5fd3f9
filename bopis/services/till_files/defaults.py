"""Columns that a format has by itself, where the mapping names no others."""

from bopis.services.till_files.mapping import Expression, Kind, Mapping

_POSLOG_STORE = {"first_of": ["transaction/RetailStoreID", "transaction/BusinessUnit/UnitID"]}
_POSLOG_BASKET = ["transaction/WorkstationID", "transaction/SequenceNumber", "transaction/BusinessDayDate"]
_POSLOG_TIME = {"first_of": ["transaction/EndDateTime", "transaction/BeginDateTime"]}
DEFAULTS: dict[Kind, dict[str, Expression]] = {
    Kind.POSLOG: {
        "store": _POSLOG_STORE,
        "basket": _POSLOG_BASKET,
        "sold_at": _POSLOG_TIME,
        "quantity": "item/Quantity",
    },
    Kind.DSFINVK: {
        "basket": ["Z_KASSE_ID", "Z_NR", "BON_ID"],
        "sku": {"first_of": ["ART_NR", "GTIN"]},
        "quantity": {"product": ["MENGE", "FAKTOR"], "blank": "1"},
        "sold_at": "BON_ENDE",
    },
    Kind.SLSRPT: {
        "store": "location",
        "basket": ["document", "location", "day"],
        "sku": {"first_of": ["gtin", "RFF+SA"]},
        "quantity": "quantity",
        "sold_at": "day",
    },
}  # fmt: skip


def columns_of(mapping: Mapping) -> dict[str, Expression]:
    """The columns of a mapping, with those that its format has by itself. Pieces are counted where no column counts."""
    columns = DEFAULTS.get(mapping.kind, {}) | mapping.columns
    if mapping.store:
        columns.pop("store", None)
    if mapping.units.words and "unit" not in columns:
        columns |= {Kind.POSLOG: {"unit": "item/Quantity/@UnitOfMeasureCode"}, Kind.SLSRPT: {"unit": "unit"}}.get(
            mapping.kind, {}
        )
    return columns
