"""How an order gets into each state, and one of each thing that can be said to it."""

from collections.abc import Callable
from typing import Any

from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import PickedLine, ReturnedLine
from bopis.domain.orders.state import LineState as S
from bopis.domain.orders.vocabulary import Allows, Document, EndReason, Initiator, Proof, RejectReason, ShortPolicy
from bopis.domain.sourcing.decision import Answer, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Request
from bopis.domain.values import DAY_MS, HOUR_MS
from tests.domain.books import at
from tests.domain.orders.world import S1, S2, World, assignment, nowhere, placement

SUBSTITUTE = Allows(on_short=ShortPolicy.SUBSTITUTE)
BY_CODE = m.HandOver(store=S1, proof=Proof.CODE, presented="right-code")
PICK_ALL = m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2),))
PICK_NONE = m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=2),))


def offers_other(request: Request, now_ms: int) -> Answer:
    """The other store, if the customer wants it."""
    return Answer(rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.OFFERED, offers=(assignment(request, S2, now_ms),))


def promised(world: World, **changes: Any) -> World:
    world.place(**changes)
    return world


def accepted(world: World, **changes: Any) -> World:
    promised(world, **changes).tell(m.AcceptPick(store=S1))
    return world


def picking(world: World, **changes: Any) -> World:
    accepted(world, **changes).tell(m.StartPicking(store=S1))
    return world


def picked(world: World, **changes: Any) -> World:
    picking(world, **changes).tell(PICK_ALL)
    return world


def staged(world: World, **changes: Any) -> World:
    """One line staged while another one is still to be picked."""
    changes.setdefault("lines", (("A", 2), ("B", 1)))
    picked(world, **changes).tell(m.StageOrder(store=S1, location="R1"))
    return world


def ready(world: World, **changes: Any) -> World:
    picked(world, **changes).tell(m.StageOrder(store=S1, location="R1"))
    return world


def arrived(world: World, **changes: Any) -> World:
    ready(world, **changes).tell(m.CustomerArrived(store=S1))
    return world


def handed_over(world: World, **changes: Any) -> World:
    ready(world, **changes).tell(BY_CODE)
    return world


def short(world: World) -> World:
    picking(world, allows=SUBSTITUTE).tell(PICK_NONE)
    return world


def substitute_offered(world: World) -> World:
    short(world).tell(m.OfferSubstitute(line=1, sku="B"))
    return world


def substituted(world: World) -> World:
    substitute_offered(world).stock_is_away = True
    world.tell(m.AcceptSubstitute(line=1))
    return world


def placed(world: World) -> World:
    world.stock_is_away = True
    return promised(world)


def held(world: World) -> World:
    return promised(world, methods=("card",))


def rejected(world: World) -> World:
    promised(world).stock_is_away = True
    world.tell(m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY))
    return world


def rerouted(world: World) -> World:
    rejected(world)
    while world.line().state is not S.REROUTED:
        world.deliver_stock(world.to_stock.popleft())
        world.run()
    return world


def waiting(world: World) -> World:
    world.routing = nowhere
    return promised(world, allows=Allows(wait_hours=48))


def offered(world: World) -> World:
    world.routing = offers_other
    return promised(world)


def cancelled(world: World) -> World:
    promised(world).tell(m.CancelOrder(by=Initiator.CUSTOMER))
    return world


def expired(world: World) -> World:
    ready(world).wait(6 * DAY_MS)
    return world


def returned(world: World) -> World:
    handed_over(world).tell(m.ReturnInStore(store=S2, lines=(ReturnedLine(line=1, quantity=2),)))
    return world


RECIPES: dict[S, Callable[[World], World]] = {
    S.WAITING: waiting,
    S.OFFERED: offered,
    S.PLACED: placed,
    S.REJECTED: rejected,
    S.REROUTED: rerouted,
    S.SHORT: short,
    S.SUBSTITUTE_OFFERED: substitute_offered,
    S.SUBSTITUTED: substituted,
    S.HELD: held,
    S.PROMISED: promised,
    S.ACCEPTED: accepted,
    S.PICKING: picking,
    S.PICKED: picked,
    S.STAGED: staged,
    S.READY: ready,
    S.ARRIVED: arrived,
    S.HANDED_OVER: handed_over,
    S.RETURNED: returned,
    S.CANCELLED: cancelled,
    S.EXPIRED: expired,
}

SAYINGS: dict[str, Callable[[World], Any]] = {
    "place again": lambda w: placement(),
    "place other": lambda w: placement(key="other key"),
    "cancel": lambda w: m.CancelOrder(by=Initiator.CUSTOMER, reason=EndReason.CUSTOMER_WISH),
    "accept": lambda w: m.AcceptPick(store=S1),
    "reject": lambda w: m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY),
    "assign": lambda w: m.AssignPicker(store=S1, picker="kim"),
    "start": lambda w: m.StartPicking(store=S1),
    "pick": lambda w: PICK_ALL,
    "pick none": lambda w: PICK_NONE,
    "offer substitute": lambda w: m.OfferSubstitute(line=1, sku="B"),
    "take substitute": lambda w: m.AcceptSubstitute(line=1),
    "refuse substitute": lambda w: m.RefuseSubstitute(line=1),
    "stage": lambda w: m.StageOrder(store=S1, location="R2"),
    "withdraw": lambda w: m.WithdrawReady(store=S1, lines=(1,)),
    "arrive": lambda w: m.CustomerArrived(store=S1),
    "hand over": lambda w: BY_CODE,
    "hand over by document": lambda w: m.HandOver(store=S1, proof=Proof.IDENTITY, document=Document.PASSPORT),
    "extend": lambda w: m.ExtendPickup(store=S1, until=at(w.now_ms + 10 * DAY_MS)),
    "reissue": lambda w: m.ReissueCode(version=2, code_hash="new", token_hash="new"),
    "return": lambda w: m.ReturnInStore(store=S1, lines=(ReturnedLine(line=1, quantity=1),)),
    "put back": lambda w: m.ConfirmPutBack(task="no such task"),
    "take alternative": lambda w: m.AcceptAlternative(attempt=1, store=S2),
    "refuse alternative": lambda w: m.RefuseAlternative(attempt=1),
    "move": lambda w: m.MoveOrder(store=S2, by=Initiator.CUSTOMER),
    "stock appeared": lambda w: m.StockAppeared(store=S1, skus=("A",)),
    "store off": lambda w: m.StoreWithdrawn(store=S1),
    "store closes": lambda w: m.StoreWithdrawn(store=S1, closing=True),
    "paid": lambda w: m.PaymentAuthorised(method="card"),
    "declined": lambda w: m.PaymentDeclined(method="card"),
    "exhausted": lambda w: m.PaymentExhausted(),
    "four hours": lambda w: 4 * HOUR_MS,
}


def say(world: World, saying: str) -> list[Any]:
    """Say one of the sayings; a number is time that passes."""
    if saying in ("stock appeared", "take alternative", "move"):
        from tests.domain.orders.world import to_first_free

        world.routing = to_first_free
    data = SAYINGS[saying](world)
    return list(world.wait(data) if isinstance(data, int) else world.tell(data))
