"""Types on the ``stock`` topic, events on ``inventory-events``, and upcasters of earlier versions."""

from msgspec import Struct

from bopis.domain.inventory import articles, events, messages
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    StockAdjusted,
    StockLines,
    TransferAnnounced,
    TransferShipped,
)
from bopis.domain.values import Change, ChangeLine, Id, Sku, StoreId, Text
from bopis.wire.envelope import Family


class StockAdjustedV1(Struct, frozen=True, kw_only=True):
    """The first version adjusted one SKU per message."""

    sku: Sku
    change: Change
    reason: AdjustmentReason
    note: Text = ""


def _adjusted_from_v1(body: StockAdjustedV1) -> StockAdjusted:
    line = ChangeLine(sku=body.sku, change=body.change)
    return StockAdjusted(reason=body.reason, lines=(line,), note=body.note)


class HoldCommandRefusedV1(Struct, frozen=True, kw_only=True):
    """The first version did not name the order."""

    hold: str
    command: str
    reason: events.StockRefusal


def _refused_from_v1(body: HoldCommandRefusedV1) -> events.HoldCommandRefused:
    return events.HoldCommandRefused(hold=body.hold, command=body.command, reason=body.reason)


class TransferShippedV1(Struct, frozen=True, kw_only=True):
    """The first version had no expected arrival."""

    transfer: Id
    to_store: StoreId
    lines: StockLines


class TransferAnnouncedV1(Struct, frozen=True, kw_only=True):
    """The first version had no expected arrival."""

    transfer: Id
    from_store: StoreId
    lines: StockLines


def _shipped_from_v1(body: TransferShippedV1) -> TransferShipped:
    return TransferShipped(transfer=body.transfer, to_store=body.to_store, lines=body.lines)


def _announced_from_v1(body: TransferAnnouncedV1) -> TransferAnnounced:
    return TransferAnnounced(transfer=body.transfer, from_store=body.from_store, lines=body.lines)


STOCK = Family(
    {
        "bopis.pos.sale.v1": messages.PosSale,
        "bopis.pos.return.v1": messages.PosReturn,
        "bopis.stock.received.v1": messages.StockReceived,
        "bopis.stock.expected.v1": messages.StockExpected,
        "bopis.stock.expectation_withdrawn.v1": messages.ExpectationWithdrawn,
        "bopis.stock.counted.v1": messages.StockCounted,
        "bopis.stock.adjusted.v2": messages.StockAdjusted,
        "bopis.stock.picked.v1": messages.StockPicked,
        "bopis.transfer.shipped.v2": messages.TransferShipped,
        "bopis.transfer.announced.v2": messages.TransferAnnounced,
        "bopis.transfer.received.v1": messages.TransferReceived,
        "bopis.transfer.diverted.v1": messages.TransferDiverted,
        "bopis.agent.heartbeat.v1": messages.AgentHeartbeat,
        "bopis.stock.tick.v1": messages.StockTick,
        "bopis.stock.catalogue_changed.v1": articles.CatalogueChanged,
        "bopis.stock.reserve.v1": messages.ReserveStock,
        "bopis.stock.release.v1": messages.ReleaseStock,
        "bopis.stock.collect.v1": messages.CollectStock,
        "bopis.stock.extend_hold.v1": messages.ExtendHold,
        "bopis.stock.split_hold.v1": messages.SplitHold,
        "bopis.stock.set_rule.v1": messages.SetStockRule,
        "bopis.stock.set_policy.v1": messages.SetStorePolicy,
        "bopis.stock.categorise.v1": messages.CategoriseSkus,
        "bopis.stock.drop_misplaced_rows.v1": messages.DropMisplacedRows,
    },
    old={
        "bopis.stock.adjusted.v1": (StockAdjustedV1, _adjusted_from_v1),
        "bopis.transfer.shipped.v1": (TransferShippedV1, _shipped_from_v1),
        "bopis.transfer.announced.v1": (TransferAnnouncedV1, _announced_from_v1),
    },
    unplaced=(messages.StockTick, articles.CatalogueChanged),
    from_outside=True,
    away_from={messages.DropMisplacedRows: lambda command: str(command.store)},
)

INVENTORY_EVENTS = Family(
    {
        "bopis.inventory.stock_reserved.v1": events.StockReserved,
        "bopis.inventory.reservation_refused.v1": events.ReservationRefused,
        "bopis.inventory.hold_changed.v1": events.HoldChanged,
        "bopis.inventory.hold_extended.v1": events.HoldExtended,
        "bopis.inventory.hold_split.v1": events.HoldSplit,
        "bopis.inventory.hold_command_refused.v2": events.HoldCommandRefused,
        "bopis.inventory.shortfall_found.v1": events.ShortfallFound,
        "bopis.inventory.short_pick_found.v1": events.ShortPickFound,
        "bopis.inventory.doubt_settled.v1": events.DoubtSettled,
        "bopis.inventory.gap_found.v1": events.GapFound,
        "bopis.inventory.gap_filled.v1": events.GapFilled,
        "bopis.inventory.gap_closed.v1": events.GapClosed,
        "bopis.inventory.count_refused.v1": events.CountRefused,
        "bopis.inventory.transfer_dispatched.v1": events.TransferDispatched,
        "bopis.inventory.transfer_discrepancy_found.v1": events.TransferDiscrepancyFound,
        "bopis.inventory.receipt_discrepancy_found.v1": events.ReceiptDiscrepancyFound,
        "bopis.inventory.receipt_overdue.v1": events.ReceiptOverdue,
        "bopis.inventory.expectation_refused.v1": events.ExpectationRefused,
        "bopis.inventory.threshold_crossed.v1": events.ThresholdCrossed,
        "bopis.inventory.stock_rule_set.v1": events.StockRuleSet,
        "bopis.inventory.store_policy_set.v1": events.StorePolicySet,
        "bopis.inventory.misplaced_rows_dropped.v1": events.MisplacedRowsDropped,
    },
    old={"bopis.inventory.hold_command_refused.v1": (HoldCommandRefusedV1, _refused_from_v1)},
)
