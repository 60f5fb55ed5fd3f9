"""Customers at a checkout that answers at the end, and at one that answers at once.

Each customer is a thread of the checkout's process. Customers of all arms come in turn, one after the other at a
constant rate, so that all arms meet the same load of the machine.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum
from itertools import cycle, islice
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import msgspec

from benchmarks.checkout_installation import Installation
from benchmarks.checkout_reading import CheckoutReader
from benchmarks.orders_world import World
from bopis.adapters.gateways.fake_server import KEY_HEADER
from bopis.adapters.log import LogReader
from bopis.adapters.publisher import LogPublisher
from bopis.domain.orders.events import CommandRefused, OrderPromised
from bopis.domain.orders.messages import PaymentPlan, PlaceOrder
from bopis.domain.payments.gateway import (
    CallOutcome,
    GatewayAnswer,
    GatewayCall,
    Operation,
    PaymentMethod,
    call_key,
)
from bopis.quantiles import quantile
from bopis.services.channels import ORDER_REQUESTS
from bopis.services.exchange import Author, Exchange
from bopis.wire.orders import ORDERS

CURRENCY = "USD"
THREADS_MAX = 256
PATIENCE_SECONDS = 60.0
OK, SOFT, CHALLENGE = "tok_ok", "tok_soft", "tok_challenge"
CHALLENGE_EVERY = 10  # one card in ten is challenged


class Arm(StrEnum):
    """How a customer is served, and what becomes of the first method."""

    SYNCHRONOUS = "synchronous"
    OURS = "ours"
    SYNCHRONOUS_DECLINED = "synchronous_declined"
    OURS_DECLINED = "ours_declined"


ALL_ARMS = tuple(Arm)
DECLINED = (Arm.SYNCHRONOUS_DECLINED, Arm.OURS_DECLINED)
SYNCHRONOUS = frozenset({Arm.SYNCHRONOUS, Arm.SYNCHRONOUS_DECLINED})


class Cards(NamedTuple):
    """The cards that each customer has, beside a first one that is declined in the arms of declines."""

    challenged: bool = False
    others: int = 1

    def tokens(self, arm: Arm, number: int) -> tuple[str, ...]:
        """The cards of a customer, in the customer's order."""
        first = CHALLENGE if self.challenged and number % CHALLENGE_EVERY == 0 else OK
        working = (first, *[f"{OK}.{it}" for it in range(1, self.others)])
        return (SOFT, *working) if arm in DECLINED else working


class Customer(NamedTuple):
    """One customer of an arm, and the order that they place."""

    arm: Arm
    order: str
    body: PlaceOrder
    tokens: tuple[str, ...]


class Visit(NamedTuple):
    """How long a customer waited, how long until the promise was firm (None: it is not), and how often they acted again
    after they had sent the order."""

    arm: Arm
    wait_s: float
    promise_s: float | None
    acts: int


class Counter:
    """The checkout of a running installation."""

    def __init__(self, installed: Installation) -> None:
        self._gateway = installed.gateway
        bootstrap, prefix = installed.log.bootstrap, installed.prefix
        self._reader = LogReader(bootstrap, prefix)
        self._publisher = LogPublisher(bootstrap, prefix)
        self._exchange = Exchange(ORDER_REQUESTS, self._publisher, self._reader, prefix)
        self._author = Author("web/1", "", lambda: datetime.now(UTC), lambda: str(uuid4()))
        self._events = CheckoutReader(bootstrap, prefix)
        self._events.start()
        self._clients = threading.local()

    def close(self) -> None:
        """Close the connections to the log."""
        self._events.close()
        self._publisher.close()
        self._reader.close()

    def serve(self, customers: Sequence[Customer], rate: float) -> list[Visit]:
        """Serve customers who come at a constant rate; returns when each has a promise or was asked to act."""
        with ThreadPoolExecutor(THREADS_MAX) as pool:
            began, visits = time.perf_counter(), []
            for number, customer in enumerate(customers):
                if (pause := began + number / rate - time.perf_counter()) > 0:
                    time.sleep(pause)
                serve = self._synchronous if customer.arm in SYNCHRONOUS else self._ours
                visits.append(pool.submit(serve, customer, time.perf_counter()))
            return [it.result() for it in visits]

    def _ours(self, customer: Customer, came: float) -> Visit:
        """Place the order; the reply ends the wait, the rest comes without the customer."""
        plan = PaymentPlan(methods=tuple(PaymentMethod(token=it) for it in customer.tokens), consent=True)
        self._place(customer, msgspec.structs.replace(customer.body, payment=plan))
        wait_s, events, order = time.perf_counter() - came, self._events, customer.order
        end = time.perf_counter() + PATIENCE_SECONDS
        while order not in events.promised and order not in events.asked and time.perf_counter() < end:
            time.sleep(0.05)
        promised = events.promised.get(order)
        is_asked = order in events.asked
        return Visit(customer.arm, wait_s, None if promised is None else promised - came, int(is_asked))

    def _synchronous(self, customer: Customer, came: float) -> Visit:
        """Hold, authorise, notify, all inside the request. Who is declined or challenged acts, and waits again; the
        time that a person takes for that is not counted."""
        with self._exchange.subscribe(customer.order) as subscription:
            self._place(customer, customer.body)
            if subscription.wait(OrderPromised, PATIENCE_SECONDS) is None:
                return Visit(customer.arm, time.perf_counter() - came, None, 0)
        acts, is_paid = 0, False
        for attempt, token in enumerate(customer.tokens, 1):
            answer = self._authorise(customer, token, attempt)
            acts += answer.outcome is not CallOutcome.APPROVED
            if answer.outcome is CallOutcome.ACTION_REQUIRED:
                self._client.post(answer.link, content=b"result=pass")
            if answer.outcome in (CallOutcome.APPROVED, CallOutcome.ACTION_REQUIRED):
                is_paid = True
                break
        # Stands for the mail provider: a request that is answered at once.
        self._client.get(f"{self._gateway.url}/control").raise_for_status()
        wait_s = time.perf_counter() - came
        return Visit(customer.arm, wait_s, wait_s if is_paid else None, acts)

    def _place(self, customer: Customer, body: PlaceOrder) -> None:
        message = self._exchange.compose(self._author, customer.order, body)
        reply = self._exchange.request(message, PATIENCE_SECONDS)
        if reply.event(CommandRefused) is not None:
            raise RuntimeError(f"the order {customer.order} was refused: {reply.event(CommandRefused)}")

    def _authorise(self, customer: Customer, token: str, attempt: int) -> GatewayAnswer:
        key = call_key(f"sync-{customer.order}", attempt, Operation.AUTHORISE)
        amount = sum(line.unit_cents * line.quantity for line in customer.body.lines)
        call = GatewayCall(
            key=key, order=customer.order, attempt=attempt, operation=Operation.AUTHORISE, gateway="fake",
            amount=amount, currency=CURRENCY, authorisation=key, token=token,
        )  # fmt: skip
        headers = {KEY_HEADER: key, "content-type": "application/json"}
        url = f"{self._gateway.url}/authorisations"
        response = self._client.post(url, content=msgspec.json.encode(call), headers=headers)
        return msgspec.json.decode(response.content, type=GatewayAnswer)

    @property
    def _client(self) -> httpx.Client:
        """The HTTP client of this thread."""
        client: httpx.Client | None = getattr(self._clients, "client", None)
        if client is None:
            client = self._clients.client = httpx.Client(verify=False, trust_env=False, timeout=PATIENCE_SECONDS)
        return client


def customers(world: World, arms: Sequence[Arm], number: int, cards: Cards) -> list[Customer]:
    """``number`` customers of each arm, in turn."""
    orders = world.orders(number * len(arms))
    return [
        Customer(arm, order, _body(value), cards.tokens(arm, place // len(arms)))
        for place, (arm, (order, value)) in enumerate(zip(islice(cycle(arms), len(orders)), orders, strict=True))
    ]


def _body(value: bytes) -> PlaceOrder:
    body: PlaceOrder = ORDERS.decode(value).data
    return msgspec.structs.replace(body, currency=CURRENCY)


def figures(visits: Sequence[Visit], arm: Arm) -> dict[str, Any]:
    """Percentiles and counts of one arm."""
    own = [it for it in visits if it.arm is arm]
    promises = [it.promise_s * 1000 for it in own if it.promise_s is not None]
    waits = [it.wait_s * 1000 for it in own]
    return {
        "wait_p50_ms": quantile(waits, 0.50),
        "wait_p99_ms": quantile(waits, 0.99),
        "promise_p50_ms": quantile(promises, 0.50),
        "promise_p99_ms": quantile(promises, 0.99),
        "customers": len(own),
        "promised": len(promises),
        "act_again": sum(it.acts > 0 for it in own),
        "acts": sum(it.acts for it in own),
    }
