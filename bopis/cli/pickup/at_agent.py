"""Commands of the counter at the store agent of this machine, while the centre cannot be reached.

A command goes one way as a whole: the choice is made before it, and never half-way.
"""

import http.client
import json
import socket
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from bopis.adapters.address import is_alive, remote_address
from bopis.cli.agent.directory import agent_directory, opened_journal
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Conflict, InvalidInput, NotFound, Unavailable
from bopis.cli.app.render import counted, instant, print_line, table
from bopis.domain.orders.numbers import shown
from bopis.domain.payments.money import plain_amount
from bopis.errors import UNAVAILABLE, BopisError
from bopis.journal.database import JOURNAL_FILE
from bopis.journal.status import status_of

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS_MAX = 3.0
ERRORS = {404: NotFound, 409: Conflict, 422: InvalidInput}
KEYWORDS = {404: "what", 409: "cause", 422: "problem"}


class ShopAgent:
    """The agent that runs on this machine, over its loopback."""

    def __init__(self, ctx: CommandContext, port: int, why: str) -> None:
        self._ctx, self._port, self._why = ctx, port, why

    def act(self, order: str, kind: str, message_id: str | None, **fields: Any) -> None:
        """Do one action on an order, and print what became of it. Raises `CommandError`."""
        body = {"id": message_id or str(uuid.uuid4()), "kind": kind, "actor": self._ctx.actor, **fields}
        result = self._ask("POST", f"/v1/pickup/orders/{order.replace(' ', '')}/actions", body)
        self._note(result["copy_age_seconds"])
        name, state = shown(result["order"]), result["state"].replace("_", " ")
        text = f"{name}  {state or 'done'}; it is sent when the centre is back"
        if result["is_repeat"]:
            text = f"{name}  no change: this was done before."
        if kind == "hand-over" and result["due_cents"]:
            self._ctx.note(f"Take {plain_amount(result['due_cents'], result['currency'])} for it.")
        self._ctx.print_result({"via": "agent", **result}, lambda out: print_line(out, text))

    def queue(self, store: str) -> None:
        """Print the work of the shop by its copy. Raises `Unavailable` for another store than the agent's."""
        found = self._ask("GET", "/v1/pickup/queue")
        if found["store"] != store:
            raise Unavailable(what=f"store {store}", next=f"The store agent of this machine is of {found['store']}.")
        self._note(found["copy_age_seconds"])

        def render(out: Console) -> None:
            zone = ZoneInfo(found["time_zone"])
            grid = table("order", "state", "due", "who", "goods", "to pay")
            for it in found["orders"]:
                goods = ", ".join(_goods(line) for line in it["lines"])
                due = it["window_end_ms"] or it["ready_by_ms"]
                pay = plain_amount(it["due_cents"], it["currency"]) if it["due_cents"] else ""
                state = it["state"].replace("_", " ")
                grid.add_row(shown(it["order"]), state, instant(due, zone), it["picker"], goods, pay)
            if found["orders"]:
                out.print(grid)
            else:
                self._ctx.note("Nothing to do.")
            if found["open_actions"]:
                self._ctx.note(f"{counted(found['open_actions'], 'action')} waiting to be sent to the centre.")

        self._ctx.print_result({"via": "agent", **found}, render)

    def _note(self, age_seconds: int) -> None:
        self._ctx.note(f"{self._why}: done at the store agent, whose copy is {age_text(age_seconds)} old.")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            next_step = "Look at it with `bopis agent status`; a command with the same --id is done once."
            raise Unavailable(what=f"the store agent on port {self._port} ({error})", next=next_step) from error
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.OK:
            return document
        detail = str(document.get("detail", "")).rstrip(".")
        if answer.status in ERRORS:
            raise ERRORS[answer.status](**{KEYWORDS[answer.status]: detail})
        raise Unavailable(what=f"the store agent ({detail})", next="Look at it with `bopis agent status`.")


def shop_agent(ctx: CommandContext) -> ShopAgent | None:
    """The store agent of this machine, if this command is to be done there: the setting `agent_pickup` says so, or the
    centre cannot be reached and an agent runs here. None: the centre. Raises `Unavailable`, or `JournalMissing`."""
    mode = ctx.settings.agent_pickup
    has_journal = (agent_directory(ctx.settings) / JOURNAL_FILE).exists()
    if mode == "centre" or (mode == "auto" and not has_journal):
        return None
    with opened_journal(ctx) as journal:
        process = status_of(journal).process
    runs = bool(process.pid) and is_alive(process.pid)
    if mode == "agent":
        if not runs:
            raise Unavailable(what="the store agent", next="Start it: bopis agent run --store STORE.")
        return ShopAgent(ctx, process.port, "agent_pickup is agent")
    if not runs or _is_reached(ctx):
        return None
    return ShopAgent(ctx, process.port, "The centre cannot be reached")


def _goods(line: dict[str, Any]) -> str:
    return f"{line['quantity']} {line['name']} {line['location']}".strip()


def age_text(seconds: int) -> str:
    """An age in words: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def _is_reached(ctx: CommandContext) -> bool:
    """Whether the log of the centre takes a connection. Anything else that is wrong with it is told by the command."""
    try:
        if ctx.settings.embedded:
            ctx.require_log()
            return True
        for address in remote_address(ctx.settings.broker).split(","):
            host, _, port = address.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS_MAX).close()
            except (OSError, ValueError):
                continue
            return True
    except BopisError as error:
        return error.exit_code != UNAVAILABLE
    return False
