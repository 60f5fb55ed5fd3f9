"""The counter page of the agent: the shop's work by its copy, with forms that need neither script nor the centre."""

import uuid
from collections.abc import Iterator
from html import escape
from urllib.parse import parse_qs

import msgspec

from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Document
from bopis.domain.payments.money import plain_amount
from store_agent.errors import ActionInvalid
from store_agent.offline.actions import ActionKind, ActionRequest
from store_agent.offline.counter import CounterOrder, CounterQueue

PATH, STYLE_PATH = "/counter", "/counter.css"
FIELDS_MAX = 10
# From this age on the page says that the centre is away.
AWAY_SECONDS = 60
STYLE = """
body { font: 1.1rem/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 60rem; padding: 0 1rem; }
.away, .message { padding: .5rem .8rem; border-left: .3rem solid #b45309; background: #fef3c7; color: #111; }
article { border: 1px solid #888; border-radius: .4rem; padding: .6rem .9rem; margin: .8rem 0; }
form { display: inline-flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .3rem 1rem .3rem 0; }
input, select, button { font: inherit; padding: .35rem .6rem; min-height: 2.6rem; }
"""
BUTTONS = {
    LineState.PROMISED: (ActionKind.ACCEPT,),
    LineState.ACCEPTED: (ActionKind.START, ActionKind.PICK),
    LineState.PICKING: (ActionKind.PICK,),
    LineState.PICKED: (ActionKind.STAGE,),
    LineState.STAGED: (ActionKind.HAND_OVER,),
    LineState.READY: (ActionKind.HAND_OVER,),
    LineState.ARRIVED: (ActionKind.HAND_OVER,),
}
WORDS = {
    ActionKind.ACCEPT: "Accept",
    ActionKind.START: "Start picking",
    ActionKind.PICK: "All picked",
    ActionKind.STAGE: "Staged",
    ActionKind.HAND_OVER: "Hand over",
}


def page(queue: CounterQueue, actor: str = "", message: str = "") -> str:
    """The page of a queue. Each form has an id of its own, so that a second click does nothing more."""
    body = "".join(_parts(queue, actor, message))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Counter</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{STYLE_PATH}"></head><body>{body}</body></html>'
    )


def request_in(body: bytes) -> ActionRequest:
    """The action of a form. Raises `ActionInvalid`."""
    try:
        found = parse_qs(body.decode(), max_num_fields=FIELDS_MAX)
        fields = {name: values[0] for name, values in found.items()}
        return msgspec.convert(fields, ActionRequest)
    except (ValueError, msgspec.ValidationError) as error:
        raise ActionInvalid(cause=error) from error


def _parts(queue: CounterQueue, actor: str, message: str) -> Iterator[str]:
    yield f"<h1>Store {escape(queue.store)}</h1>"
    age = f"copy of {queue.copy_age_seconds} seconds ago"
    if queue.copy_age_seconds >= AWAY_SECONDS:
        yield f'<p class="away">The centre cannot be reached. Work goes on at the store agent, with its {age}.</p>'
    else:
        yield f"<p>At the store agent, with its {age}.</p>"
    if queue.open_actions:
        yield f"<p>Waiting to be sent: {queue.open_actions}</p>"
    if message:
        yield f'<p class="message" role="status">{escape(message)}</p>'
    for order in queue.orders:
        yield _order(order, actor)
    if not queue.orders:
        yield "<p>Nothing to do.</p>"


def _order(order: CounterOrder, actor: str) -> str:
    state = LineState(order.state)
    lines = "".join(
        f"<li>{it.quantity} × {escape(it.name)} ({escape(it.sku)}) {escape(it.location)}</li>" for it in order.lines
    )
    due = f"<p>To pay: {escape(plain_amount(order.due_cents, order.currency))}</p>" if order.due_cents else ""
    forms = "".join(_form(order.order, kind, actor) for kind in BUTTONS.get(state, ()))
    heading = f"{escape(shown(order.order))} {escape(order.state.replace('_', ' '))}"
    return f"<article><h2>{heading}</h2><ul>{lines}</ul>{due}{forms}</article>"


def _form(order: str, kind: ActionKind, actor: str) -> str:
    more = ""
    if kind is ActionKind.STAGE:
        more = '<label>Place <input name="location" required maxlength="64"></label>'
    elif kind is ActionKind.HAND_OVER:
        documents = "".join(f'<option value="{it.value}">{it.value.replace("_", " ")}</option>' for it in Document)
        more = (
            '<label>Code <input name="code" autocomplete="off" inputmode="numeric"></label>'
            f'<label>or document <select name="document">{documents}</select></label>'
        )
    return (
        f'<form method="post" action="{PATH}/{escape(order)}"><input type="hidden" name="id" value="{uuid.uuid4()}">'
        f'<input type="hidden" name="kind" value="{kind.value}">{more}'
        f'<label>Your name <input name="actor" required maxlength="128" value="{escape(actor)}"></label>'
        f"<button>{WORDS[kind]}</button></form>"
    )
