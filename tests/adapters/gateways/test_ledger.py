"""The ledger's algebra: every posting balanced, no limited account below zero, a pending transfer resolves once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bopis.adapters.gateways.fake_bank import FakeBank
from bopis.adapters.gateways.fake_book import Book
from bopis.adapters.gateways.fake_ledger import LIMITED, Ledger, Transfer, TransferKind, TransferResult
from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.domain.payments.gateway import GatewayCall, Operation
from tests.adapters.gateways.calls import Clock, call

ACCOUNTS = ("payers:EUR", "gift:a", "sale:1", "sale:2")
TRANSFERS = st.builds(
    Transfer,
    id=st.integers(1, 12),
    kind=st.sampled_from(TransferKind),
    debit=st.sampled_from(ACCOUNTS),
    credit=st.sampled_from(ACCOUNTS),
    amount=st.integers(-2, 50),
    pending=st.integers(0, 12),
)


def check_whole(ledger: Ledger) -> None:
    """What holds after every transfer."""
    sums = ledger.accounts.values()
    assert sum(it.debits_posted for it in sums) == sum(it.credits_posted for it in sums)
    assert sum(it.debits_pending for it in sums) == sum(it.credits_pending for it in sums)
    for name, it in ledger.accounts.items():
        assert min(it.debits_pending, it.debits_posted, it.credits_pending, it.credits_posted) >= 0, name
        assert not name.startswith(LIMITED) or it.available >= 0, name


@given(st.lists(TRANSFERS, max_size=40))
def test_any_transfers_leave_the_ledger_whole(transfers: list[Transfer]) -> None:
    ledger = Ledger()
    resolved: Counter[int] = Counter()

    for transfer in transfers:
        before = dict(ledger.accounts)
        result = ledger.add(transfer)
        if result is TransferResult.OK and transfer.pending and transfer.kind in ("post", "void"):
            resolved[transfer.pending] += 1

        check_whole(ledger)
        assert result is TransferResult.OK or dict(ledger.accounts) == before
        assert ledger.add(transfer) is not TransferResult.OK

    assert not resolved or max(resolved.values()) == 1


PENDING = Transfer(id=1, kind=TransferKind.PENDING, debit="payers:EUR", credit="sale:1", amount=100)
RESOLUTIONS = st.builds(
    Transfer,
    id=st.just(0),
    kind=st.sampled_from((TransferKind.POST, TransferKind.VOID)),
    amount=st.integers(0, 40),
    pending=st.integers(1, 3),
)


@given(st.lists(RESOLUTIONS, min_size=1, max_size=8))
def test_a_pending_transfer_resolves_once(resolutions: list[Transfer]) -> None:
    ledger = Ledger()
    for number in (1, 2, 3):
        ledger.add(replace(PENDING, id=number, amount=30))
    done: list[int] = []

    for number, resolution in enumerate(resolutions, 4):
        result = ledger.add(replace(resolution, id=number))
        done += [resolution.pending] if result is TransferResult.OK else []

        check_whole(ledger)
        assert len(done) == len(set(done))
        assert ledger.account("sale:1").credits_pending == 30 * (3 - len(done))
        assert ledger.account("sale:1").credits_posted <= 30 * len(done)


@pytest.mark.parametrize(
    ("transfer", "result"),
    [
        (PENDING, "exists"),
        (Transfer(id=1, debit="a", credit="b", amount=1), "exists_otherwise"),
        (Transfer(id=2, debit="a", credit="b"), "amount_not_positive"),
        (Transfer(id=2, debit="a", credit="a", amount=1), "same_account"),
        (Transfer(id=2, debit="sale:1", credit="b", amount=1), "exceeds_credits"),
        (Transfer(id=2, kind=TransferKind.POST, pending=9, amount=1), "pending_not_found"),
        (Transfer(id=2, kind=TransferKind.POST, pending=1, amount=101), "exceeds_pending"),
        (Transfer(id=2, kind=TransferKind.POST, pending=1), "amount_not_positive"),
        (Transfer(id=2, kind=TransferKind.POST, pending=1, amount=60), "ok"),
        (Transfer(id=2, kind=TransferKind.VOID, pending=1), "ok"),
    ],
)
def test_refusals_have_names(transfer: Transfer, result: str) -> None:
    ledger = Ledger()
    ledger.add(PENDING)

    assert ledger.add(transfer) == result


def test_what_is_not_posted_of_a_pending_transfer_returns() -> None:
    ledger = Ledger()
    ledger.add(PENDING)
    reserved = ledger.open_amount(1)

    ledger.add(Transfer(id=2, kind=TransferKind.POST, pending=1, amount=60))

    assert (reserved, ledger.open_amount(1)) == (100, 0)
    assert ledger.account("sale:1").available == 60
    assert ledger.account("payers:EUR").debits_pending == 0


TOKENS = (
    "visa",
    "tok_ok",
    "tok_soft",
    "tok_partial_30",
    "tok_late_ok",
    "tok_review",
    "tok_capture_fails",
    "tok_capture_accepted",
    "tok_refund_bounces",
    "tok_lands_after_close",
    "tok_timeout_after",
    "gift_a_900",
)
STEPS = st.tuples(
    st.sampled_from([it for it in Operation if it is not Operation.FIND]),
    st.sampled_from(("A", "B", "C")),
    st.sampled_from((1, 300, 600, 1000, 1100, 1200)),
    st.booleans(),
    st.integers(0, 3_000),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEPS, min_size=3, max_size=20),
    st.tuples(*(st.sampled_from(TOKENS) for _ in "ABC")),
    st.booleans(),
    st.integers(0, 15),
)
def test_any_calls_leave_the_books_whole(
    steps: list[tuple[Operation, str, int, bool, int]], tokens: tuple[str, ...], flag: bool, percent: int
) -> None:
    clock = Clock()
    options = FakeOptions(
        multicapture=flag, adjust=flag, repair=flag, overcapture_percent=percent, timeout_after=0.1, accepted=0.2
    )
    bank = FakeBank(Book(), options, clock)
    by_order = dict(zip("ABC", tokens, strict=True))
    for order, token in by_order.items():
        bank.call(call(order=order, token=token))

    for number, (operation, order, amount, final, wait_ms) in enumerate(steps):
        made = call(operation, order, amount=amount, token=by_order[order], number=number, final=final)
        if operation is Operation.AUTHORISE:
            made = call(operation, order, amount=amount, token=by_order[order])
        answered = bank.call(made)

        check_books(bank)
        if answered.answer is not None:
            check_replay(bank, made)
        clock.now_ms += wait_ms

    clock.now_ms += 10_000
    bank.tick()
    check_books(bank)


def check_books(bank: FakeBank) -> None:
    """The sums of every authorisation are those of its account, and never exceed what they may."""
    check_whole(bank.book.ledger)
    for auth in bank.book.authorisations.values():
        account = bank.book.ledger.account(auth.sale)
        assert account.available == auth.captured - auth.refunded >= 0
        assert account.credits_pending == bank.book.ledger.open_amount(auth.pending)
        limit = auth.amount * (100 + bank.options.overcapture_percent) // 100
        assert auth.captured <= limit


def check_replay(bank: FakeBank, made: GatewayCall) -> None:
    """The same call once more changes nothing."""
    if made.operation is Operation.CLOSE:
        return
    before = (dict(bank.book.ledger.accounts), dict(bank.book.authorisations))

    bank.call(made)

    assert before == (dict(bank.book.ledger.accounts), dict(bank.book.authorisations))
