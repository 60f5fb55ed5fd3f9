"""`bopis gateway fake`: a payment gateway for trying things out."""

import secrets
import sys
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer

from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.adapters.gateways.fake_server import HOST, CallbackTarget, FakeServer, serve
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import PortTaken

PERCENT = 100.0
SECRET_BYTES = 24


def _percent(text: str) -> Any:
    return typer.Option(min=0, max=PERCENT, metavar="PERCENT", help=text)


def fake(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="PORT", help="Port; 0 takes a free one.")] = 0,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the ledger in this file; without it nothing is kept.")
    ] = None,
    callback: Annotated[str, typer.Option(metavar="URL", help="Send callbacks to this address.")] = "",
    secret: Annotated[
        str, typer.Option(metavar="whsec_…", help="Secret that signs callbacks; a random one is made and printed.")
    ] = "",
    latency: Annotated[float, typer.Option(min=0, metavar="MS", help="Median of the time of an answer.")] = 0.0,
    sigma: Annotated[float, typer.Option(min=0, max=3, help="Spread of that time (lognormal).")] = 0.5,
    decline: Annotated[float, _percent("Declined, so that another method may be tried.")] = 0.0,
    timeout_after: Annotated[float, _percent("Calls that are done, but not answered.")] = 0.0,
    timeout_before: Annotated[float, _percent("Calls that are neither done nor answered.")] = 0.0,
    hang: Annotated[
        bool, typer.Option("--hang", help="Leave connections of unanswered calls open instead of closing them.")
    ] = False,
    challenge: Annotated[float, _percent("Authorisations that the customer has to confirm.")] = 0.0,
    review: Annotated[float, _percent("Authorisations that go into fraud review.")] = 0.0,
    partial: Annotated[float, _percent("Authorisations of less than was asked.")] = 0.0,
    lands_after_close: Annotated[float, _percent("Authorisations that their own close overtakes.")] = 0.0,
    capture_fails: Annotated[float, _percent("Captures that fail later.")] = 0.0,
    repair: Annotated[bool, typer.Option("--repair", help="Captures that failed are done again later.")] = False,
    refund_bounces: Annotated[float, _percent("Refunds that come back later.")] = 0.0,
    accepted: Annotated[float, _percent("Captures and refunds whose result comes by callback.")] = 0.0,
    duplicate: Annotated[float, _percent("Callbacks that are sent twice.")] = 0.0,
    late: Annotated[float, _percent("Callbacks that are late.")] = 0.0,
    reorder: Annotated[float, _percent("Callbacks that others overtake.")] = 0.0,
    late_ms: Annotated[int, typer.Option(min=0, metavar="MS", help="How much later late things come.")] = 2_000,
    rate: Annotated[float, typer.Option(min=0, metavar="NUMBER", help="Calls per second; 0: any number.")] = 0.0,
    key_life: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How long keys are remembered.")] = 86_400,
    life: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="Life of an authorisation.")] = 604_800,
    multicapture: Annotated[bool, typer.Option("--multicapture", help="Allow several captures.")] = False,
    overcapture: Annotated[int, typer.Option(min=0, max=100, help="Per cent that may be captured in addition.")] = 0,
    adjust: Annotated[bool, typer.Option("--adjust", help="Allow a change of the authorised amount.")] = False,
    clock: Annotated[int, typer.Option(metavar="MS", help="Turn the gateway's clock ahead.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of chance: the same calls meet the same fate.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Start a fake payment gateway with a ledger of its own; Ctrl-C stops it.

    It prints one line with its address. A token names its behaviour: tok_ok, tok_soft, tok_hard, tok_never, tok_data,
    tok_technical, tok_soft_then_ok, tok_challenge, tok_challenge_fail, tok_review, tok_review_reject,
    tok_timeout_after, tok_timeout_before, tok_partial_40, tok_late_ok, tok_lands_after_close, tok_capture_fails,
    tok_capture_accepted, tok_refund_bounces, tok_mismatch; gift_ANNA_5000 is a gift card with 50.00. What follows a
    point tells two cards apart (tok_soft.second). Any other token is approved, except for the shares given here.

    Examples:
        bopis gateway fake
        bopis gateway fake --port 8100 --ledger gateway.jsonl --decline 10
        bopis gateway fake --latency 1000 --timeout-after 2 --challenge 10
        bopis gateway fake --callback http://127.0.0.1:8090/payments --late 5
    """
    ctx = open_context(context, as_json)
    if callback and not secret:
        secret = f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    options = FakeOptions(
        latency_ms=latency,
        latency_sigma=sigma,
        decline=decline / PERCENT,
        timeout_after=timeout_after / PERCENT,
        timeout_before=timeout_before / PERCENT,
        hang=hang,
        challenge=challenge / PERCENT,
        review=review / PERCENT,
        partial=partial / PERCENT,
        lands_after_close=lands_after_close / PERCENT,
        capture_fails_late=capture_fails / PERCENT,
        repair=repair,
        refund_bounces=refund_bounces / PERCENT,
        accepted=accepted / PERCENT,
        duplicate_callbacks=duplicate / PERCENT,
        late_callbacks=late / PERCENT,
        reorder_callbacks=reorder / PERCENT,
        late_ms=late_ms,
        rate=rate,
        key_life_s=key_life,
        life_s=life,
        multicapture=multicapture,
        overcapture_percent=overcapture,
        adjust=adjust,
        clock_offset_ms=clock,
        seed=seed,
    )
    server = FakeServer(options, ledger, CallbackTarget(url=callback, secret=secret) if callback else None)
    try:
        serve(server, host, port, lambda url: _print_ready(ctx, url, secret))
    except OSError as error:
        raise PortTaken(port=port, cause=error.strerror or error) from error


def _print_ready(ctx: CommandContext, url: str, secret: str) -> None:
    """Print the line that says that it listens; whoever started it may be waiting for it in a pipe."""
    document = {"url": url, **({"secret": secret} if secret else {})}
    shown = f", callbacks are signed with {secret}" if secret else ""
    text = f"The fake gateway listens on {url}{shown}. Ctrl-C stops it."
    ctx.print_result(document, lambda out: out.print(text, soft_wrap=True, highlight=False, markup=False))
    sys.stdout.flush()
