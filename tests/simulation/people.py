"""What customers, staff, tills and devices say: the workload. It looks, like people do, at what was written last,
and what it says may not be true any more when it arrives."""

from datetime import UTC, datetime
from random import Random
from typing import Any

from bopis.domain.inventory import messages as stock
from bopis.domain.message import Message
from bopis.domain.notices.messages import ResendNotice
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import PickedLine, ReturnedLine, WantedLine
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import (
    Allows,
    Arrival,
    Channel,
    Consent,
    CustomerRef,
    Document,
    EndReason,
    Initiator,
    Milestone,
    Proof,
    RejectReason,
    ShortPolicy,
)
from bopis.domain.sourcing.request import Component
from bopis.domain.values import HOUR_MS
from bopis.wire.notices import NOTICES
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK
from tests.simulation.payers import payment_plan
from tests.simulation.world import S1, S2, World

SKUS = ("A", "B", "C")
KIT = (Component(sku="A", quantity=1), Component(sku="B", quantity=2))
SHOPS = (S1, S2)
ORDERS_MAX = 12
PRICES = (5, 5, 7, 100)
MOVED = (LineState.PROMISED, LineState.ACCEPTED, LineState.HELD, LineState.OFFERED, LineState.WAITING)
KEPT = (LineState.READY, LineState.ARRIVED)
CUSTOMERS = (
    CustomerRef(id="c", sealed="sealed"),
    CustomerRef(id="c", sealed="sealed", channels=(Channel.EMAIL, Channel.SMS)),
    CustomerRef(id="c-mute", sealed="sealed", channels=(Channel.SMS, Channel.WEBHOOK)),
    CustomerRef(id="c-gone", sealed="sealed", channels=(Channel.EMAIL, Channel.CONSOLE)),
)


class People:
    """Everybody who speaks. Each kind of step of the plan is one method."""

    def __init__(self, world: World, first: Random) -> None:
        self.world = world
        self.numbers: list[str] = []
        self.placements: dict[str, bytes] = {}
        self.skews = dict.fromkeys(SHOPS, 0)
        self.sequences = dict.fromkeys(SHOPS, 0)
        self.counts_devices = first.random() < 0.5
        self.said = 0
        self.nonsense = 0
        for shop in SHOPS:
            lines = tuple(stock.StockLine(sku=sku, quantity=first.randrange(2, 9)) for sku in SKUS)
            self.tell_stock(shop, stock.StockReceived(document="opening", lines=lines), None)

    def act(self, kind: str, dice: Random) -> None:
        """Do what a kind of step names."""
        getattr(self, kind)(dice)

    # Saying

    def tell(self, number: str, data: Any, shop: str | None, dice: Random | None) -> bytes:
        """Say something to an order, from a shop's device or from anywhere."""
        value = ORDERS.encode(self._message(number, data, shop))
        self._send(shop, ("orders", number.encode(), value), dice)
        return value

    def tell_stock(self, shop: str, data: Any, dice: Random | None) -> None:
        """Say something to the stock of a shop."""
        message = self._message(shop, data, shop)
        if isinstance(data, stock.PosSale) and self.counts_devices:
            self.sequences[shop] += 1
            message = self._message(shop, data, shop, seq=self.sequences[shop], source=f"till-{shop}")
        self._send(shop, ("stock", shop.encode(), STOCK.encode(message)), dice)

    def _send(self, shop: str | None, message: tuple[str, bytes, bytes], dice: Random | None) -> None:
        if dice is None:
            self.world.log.put(*message)
        else:
            self.world.send(shop, message, dice)

    def _message(self, subject: str, data: Any, shop: str | None, **more: Any) -> Message:
        self.said += 1
        at_ms = self.world.log.now_ms + (self.skews[shop] if shop is not None else 0)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        header = {"id": f"m{self.said}", "source": f"desk-{shop}" if shop is not None else "shop", **more}
        return Message(time=at, subject=subject, data=data, actor="kim", **header)

    def _any_order(self, dice: Random, states: tuple[LineState, ...] = ()) -> Order | None:
        """An order that has a line in one of these states, by what was written last."""
        numbers = list(self.numbers)
        dice.shuffle(numbers)
        for number in numbers:
            order = self.world.order(number)
            if order is not None and (not states or any(it.state in states for it in order.lines)):
                return order
        return None

    # Customers

    def customer_orders(self, dice: Random, store: str = "", lines: tuple[WantedLine, ...] = ()) -> None:
        """Somebody orders."""
        if len(self.numbers) >= ORDERS_MAX:
            return
        number = number_from((len(self.numbers) + 1).to_bytes(5, "big"))
        skus = dice.sample((*SKUS, "kit"), k=dice.choice((1, 1, 2)))
        if dice.random() < 0.1:
            skus *= 2
        placed = m.PlaceOrder(
            key=f"key-{number}",
            request=f"request-{number}",
            customer=CUSTOMERS[len(self.numbers) % len(CUSTOMERS)],
            store=store or dice.choice(SHOPS),
            lines=lines
            or tuple(
                WantedLine(
                    line=place,
                    sku=sku,
                    quantity=dice.randrange(1, 4),
                    components=KIT if sku == "kit" else (),
                    unit_cents=dice.choice(PRICES),
                )
                for place, sku in enumerate(skus, 1)
            ),
            allows=Allows(
                alternatives=dice.choice(list(Consent)),
                split=dice.random() < 0.4,
                substitutes=dice.choice(list(Consent)),
                partial=dice.random() < 0.7,
                on_short=dice.choice(list(ShortPolicy)),
                wait_hours=dice.choice((0, 0, 5, 60)),
            ),
            payment=payment_plan(dice),
            currency="EUR",
            code_hash="right-code",
            token_hash="right-token",
        )
        self.numbers.append(number)
        self.placements[number] = self.tell(number, placed, None, dice)

    def customers_race(self, dice: Random) -> None:
        """Several customers want the same units at the same moment."""
        shop, sku = dice.choice(SHOPS), dice.choice(SKUS)
        for _ in range(dice.choice((2, 2, 3))):
            quantity, unit_cents = dice.randrange(1, 4), dice.choice((0, 5, 5))
            self.customer_orders(dice, shop, (WantedLine(line=1, sku=sku, quantity=quantity, unit_cents=unit_cents),))

    def customer_orders_again(self, dice: Random) -> None:
        """A checkout that heard no answer asks again, in a message of its own."""
        if self.numbers:
            number = dice.choice(self.numbers)
            self.tell(number, ORDERS.decode(self.placements[number]).data, None, dice)

    def customer_arrives(self, dice: Random) -> None:
        """The customer is there, perhaps before anything is ready."""
        if order := self._any_order(dice, KEPT if dice.random() < 0.7 else ()):
            store = dice.choice([it.store for it in order.work] or [order.store])
            self.tell(order.order, m.CustomerArrived(store=store, where=dice.choice(list(Arrival))), None, dice)

    def goods_are_handed_over(self, dice: Random) -> None:
        """Goods are asked for at the counter, mostly with the right code."""
        order = self._any_order(dice, (*KEPT, LineState.STAGED) if dice.random() < 0.9 else ())
        if order is None:
            return
        proof = dice.choice((Proof.CODE, Proof.CODE, Proof.TOKEN, Proof.IDENTITY))
        right = order.code.token_hash if proof is Proof.TOKEN else order.code.code_hash
        there = [it for it in order.lines if it.state in (*KEPT, LineState.STAGED)]
        lines = tuple(it.line for it in there[:1]) if dice.random() < 0.2 else ()
        given = m.HandOver(
            store=there[0].store if there else order.store,
            proof=proof,
            presented=right if dice.random() < 0.85 else "wrong",
            document=Document.PASSPORT if proof is Proof.IDENTITY else Document.NONE,
            lines=lines,
        )
        self.tell(order.order, given, given.store, dice)

    def everybody_collects(self, dice: Random) -> None:
        """Whoever has goods waiting comes with a passport."""
        for order in self.world.orders():
            for store in dict.fromkeys(it.store for it in order.lines if it.state in KEPT):
                shown = m.HandOver(store=store, proof=Proof.IDENTITY, document=Document.PASSPORT)
                self.tell(order.order, shown, store, dice)

    def somebody_cancels(self, dice: Random) -> None:
        """The customer, the staff or the system ends an order or a line of it, perhaps before it is placed."""
        if self.numbers and dice.random() < 0.1:
            number = dice.choice(self.numbers)
            self.tell(number, m.CancelOrder(by=Initiator.CUSTOMER, reason=EndReason.CUSTOMER_WISH), None, dice)
            return
        if order := self._any_order(dice):
            lines = (dice.choice(order.lines).line,) if dice.random() < 0.4 else ()
            wish = m.CancelOrder(by=dice.choice(list(Initiator)), reason=EndReason.CUSTOMER_WISH, lines=lines)
            self.tell(order.order, wish, None, dice)

    def offer_is_answered(self, dice: Random) -> None:
        """A customer takes what was offered, or does not."""
        order = self._any_order(dice, (LineState.OFFERED, LineState.SUBSTITUTE_OFFERED))
        for offer in order.offers if order else ():
            if dice.random() < 0.6:
                data: Any = m.AcceptAlternative(attempt=offer.attempt, store=dice.choice(offer.offers).store)
            else:
                data = m.RefuseAlternative(attempt=offer.attempt)
            self.tell(order.order, data, None, dice)  # type: ignore[union-attr]  # there are offers
        for line in order.lines if order else ():
            if line.state is LineState.SUBSTITUTE_OFFERED:
                kind = m.AcceptSubstitute if dice.random() < 0.6 else m.RefuseSubstitute
                self.tell(order.order, kind(line=line.line), None, dice)  # type: ignore[union-attr]  # it has lines

    def customer_changes_store(self, dice: Random) -> None:
        """A customer, or staff for one, wants to collect elsewhere."""
        if order := self._any_order(dice, MOVED if dice.random() < 0.8 else ()):
            others = [it for it in SHOPS if all(line.store != it for line in order.live)] or list(SHOPS)
            wish = m.MoveOrder(store=dice.choice(others), by=dice.choice((Initiator.CUSTOMER, Initiator.STAFF)))
            self.tell(order.order, wish, None, dice)

    def goods_come_back(self, dice: Random) -> None:
        """A customer brings something back, to any shop."""
        if order := self._any_order(dice, (LineState.HANDED_OVER,)):
            lines = [it for it in order.lines if it.state is LineState.HANDED_OVER]
            back = ReturnedLine(line=dice.choice(lines).line, quantity=1, condition=dice.choice(list(stock.Condition)))
            shop = dice.choice(SHOPS)
            self.tell(order.order, m.ReturnInStore(store=shop, lines=(back,)), shop, dice)

    # Staff

    def staff_work(self, dice: Random, thorough: bool = False) -> None:
        """Somebody does what an order needs next in a store; ``thorough`` for every order and without a mistake."""
        wanted = (LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING, LineState.PICKED, LineState.SHORT)
        found = self.world.orders() if thorough else [self._any_order(dice, wanted)]
        for order in found:
            for line in order.lines if order is not None else ():
                if line.state in wanted:
                    self._next_for(order, line, dice, thorough)  # type: ignore[arg-type]  # it has lines

    def _next_for(self, order: Order, line: Any, dice: Random, thorough: bool) -> None:
        store, chance = line.store, 1.0 if thorough else dice.random()
        if line.state is LineState.PROMISED:
            data: Any = m.AcceptPick(store=store)
            if chance < 0.1:
                data = m.RejectPick(store=store, reason=dice.choice(list(RejectReason)), lines=(line.line,))
        elif line.state is LineState.ACCEPTED and chance < 0.4:
            data = m.StartPicking(store=store) if chance < 0.3 else m.AssignPicker(store=store, picker="kim")
        elif line.state in (LineState.ACCEPTED, LineState.PICKING):
            data = self._pick(line, 0 if thorough else dice.choice((0, 0, 0, 0, 1, 2)))
        elif line.state is LineState.PICKED:
            data = m.StageOrder(store=store, location="R1")
        else:
            data = m.OfferSubstitute(line=line.line, sku=dice.choice(SKUS), unit_cents=dice.choice((None, 5, 9)))
        if data is not None:
            self.tell(order.order, data, store, dice)

    def _pick(self, line: Any, missing: int) -> Any:
        """Everything that the line asks for by what was written last, less what is not found."""
        found = []
        done = line.picked or (0,) * len(line.parts)
        for part, before in zip(line.parts, done, strict=True):
            units = part.quantity * line.quantity - before
            gone = min(units, missing)
            found.append(PickedLine(line=line.line, sku=part.sku, picked=units - gone, missing=gone))
            missing = 0
        return m.RecordPick(store=line.store, lines=tuple(found))

    def staff_err(self, dice: Random) -> None:
        """Something that does not fit: goods lost in staging, a rejection or a task out of turn."""
        if order := self._any_order(dice, (*KEPT, LineState.STAGED) if dice.random() < 0.6 else ()):
            line = dice.choice(order.lines)
            store = line.store or order.store
            tasks = [it.task for it in order.tasks] or ["none"]
            said = (
                m.WithdrawReady(store=store, lines=(line.line,)),
                m.RejectPick(store=store, reason=RejectReason.DAMAGED),
                m.ConfirmPutBack(task=dice.choice(tasks)),
                m.StageOrder(store=store, location="R2", lines=(line.line,)),
            )
            self.tell(order.order, dice.choice(said), store, dice)

    def pickup_is_extended(self, dice: Random) -> None:
        """A customer asks for more time."""
        if order := self._any_order(dice, KEPT):
            until = datetime.fromtimestamp((self.world.log.now_ms + dice.randrange(1, 200) * HOUR_MS) / 1000, UTC)
            store = next(it.store for it in order.lines if it.state in KEPT)
            self.tell(order.order, m.ExtendPickup(store=store, until=until), None, dice)

    def code_is_reissued(self, dice: Random) -> None:
        """A customer lost the code."""
        if order := self._any_order(dice):
            version = order.code.version + 1
            data = m.ReissueCode(version=version, code_hash=f"right-{version}", token_hash=f"token-{version}")
            self.tell(order.order, data, None, dice)

    # Shops

    def till_sells(self, dice: Random) -> None:
        """A till sells, or takes back, whatever is held."""
        shop, sku = dice.choice(SHOPS), dice.choice(SKUS)
        line = stock.SaleLine(sku, dice.choice((1, 1, 2, 3, -1)))
        self.tell_stock(shop, stock.PosSale(basket=f"b{self.said}", lines=(line,)), dice)

    def goods_arrive(self, dice: Random) -> None:
        """A delivery."""
        lines = (stock.StockLine(sku=dice.choice(SKUS), quantity=dice.randrange(1, 6)),)
        self.tell_stock(dice.choice(SHOPS), stock.StockReceived(document="d", lines=lines), dice)

    def shelf_is_counted(self, dice: Random) -> None:
        """Somebody counts a shelf."""
        lines = (stock.CountLine(sku=dice.choice(SKUS), counted=dice.randrange(6)),)
        self.tell_stock(dice.choice(SHOPS), stock.StockCounted(lines=lines), dice)

    def hold_ends_elsewhere(self, dice: Random) -> None:
        """An operator gives a hold back without asking the order."""
        order = self._any_order(dice, (LineState.HELD, LineState.PROMISED, LineState.PICKING, LineState.READY))
        held = [it for it in order.lines if it.hold] if order else []
        if held:
            line = dice.choice(held)
            self.tell_stock(line.store, stock.ReleaseStock(hold=line.hold), dice)

    def nonsense_is_said(self, dice: Random) -> None:
        """Bytes that are no message."""
        self.nonsense += 1
        topic = dice.choice(("orders", "stock", "notices", "payments"))
        self.world.log.put(topic, b"S1", b"nonsense %d" % self.nonsense)

    def notice_is_sent_again(self, dice: Random) -> None:
        """Staff say something once more, whether or not it was ever said."""
        if self.numbers:
            number = dice.choice(self.numbers)
            again = ResendNotice(milestone=dice.choice((Milestone.READY, Milestone.READY, *Milestone)))
            message = NOTICES.encode(self._message(number, again, None))
            self._send(None, ("notices", number.encode(), message), dice)

    def heartbeat(self) -> None:
        """Every till says that it is there."""
        for shop in SHOPS if self.counts_devices else ():
            self.sequences[shop] += 1
            header = {"seq": self.sequences[shop], "source": f"till-{shop}"}
            message = self._message(shop, stock.AgentHeartbeat(), shop, **header)
            self.world.log.put("stock", shop.encode(), STOCK.encode(message))
