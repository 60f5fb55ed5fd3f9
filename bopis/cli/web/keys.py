"""API keys of shop fronts, tills and other programs: create, list, revoke, rotate."""

from datetime import UTC
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.access.keys import KeyRecord, new_key
from bopis.access.roles import RIGHTS, Right, Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.webhooks.errors import WebhooksUnavailable
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Conflict, NotFound, Usage
from bopis.cli.app.parse_time import read_future_time
from bopis.cli.app.render import iso, plain, print_line, table
from bopis.cli.web.access import RoleOption, Stores, access_table, checked_stores, now_ms
from bopis.cli.web.webhooks import webhook_table
from bopis.domain.values import epoch_ms
from bopis.webhooks.records import SubscriptionState

NAME_LENGTH_MAX = 100
HOUR_MS = 3_600_000
OVERLAP_HOURS = 24
# As long as a web process remembers a key that it has looked up.
REVOKED_WITHIN_S = 5

KeyId = Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as `bopis keys list` shows it.")]


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who uses it, for example shop-de; the actor of what is done with it.")],
    role: RoleOption,
    store: Stores = None,
    scope: Annotated[
        list[Right] | None,
        typer.Option("--scope", metavar="RIGHT", help="Only this right of the role, for example orders:place; repeat."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends: 'in 90d', 2030-12-01; by default never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key. Its text is printed once; only a hash of it is stored.

    Programs send it with each request: Authorization: Bearer KEY.

    Examples:
        bopis keys create shop-de --role shop-front
        bopis keys create till-319 --role till --store 319 --expires "in 365d"
        bopis keys create feed --role shop-front --scope availability:read
    """
    ctx = open_context(context, as_json)
    named = name.strip()
    if not 0 < len(named) <= NAME_LENGTH_MAX:
        raise Usage(problem=f"A name has 1 to {NAME_LENGTH_MAX} characters.")
    stores = checked_stores(ctx, role, store)
    text, record = new_key(
        named,
        role,
        stores=stores,
        scopes=_scopes(role, scope or []),
        created_ms=now_ms(),
        created_by=ctx.actor,
        expires_ms=epoch_ms(read_future_time(ctx, expires, UTC)) if expires else 0,
    )
    with access_table(ctx) as keys:
        keys.put_key(record)
    ctx.print_result({"key": text} | _row(record, now_ms()), lambda out: _print_new(out, ctx.note, text, record))


def list_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also keys that were revoked or have expired.")] = False,
    as_json: AsJson = False,
) -> None:
    """List API keys, the newest first. Their texts are not stored.

    Examples:
        bopis keys list
        bopis keys list --all --json
    """
    ctx = open_context(context, as_json)
    with access_table(ctx) as keys:
        found = keys.keys()
    now = now_ms()
    rows = [_row(it, now) for it in found if every or it.is_valid(now)]

    def render(out: Console) -> None:
        if not rows:
            print_line(out, "No keys. `bopis keys create NAME --role ROLE` makes one.")
            return
        grid = table("id", "name", "role", "stores", "scopes", "created", "by", "expires", "state")
        for row in rows:
            limits = " ".join(row["stores"]), " ".join(row["scopes"])
            times = row["created"], row["created_by"], row["expires"] or ""
            grid.add_row(*map(plain, (row["id"], row["name"], row["role"], *limits, *times, row["state"])))
        out.print(grid)

    ctx.print_result({"keys": rows}, render)


def revoke(context: typer.Context, identity: KeyId, as_json: AsJson = False) -> None:
    """End an API key. Web processes refuse it within seconds.

    Webhooks that were made with it are paused, unless another valid key has its name, as after a rotation; `bopis
    webhooks resume` lets one go on.

    Examples:
        bopis keys revoke 3fa9c1d27be0
        bopis keys revoke 3fa9c1d27be0 --json
    """
    ctx = open_context(context, as_json)
    with access_table(ctx) as access:
        record = _find(access, identity)
        if record.revoked_ms:
            raise Conflict(cause=f"key {record.id} ({record.name}) was revoked before, at {iso(record.revoked_ms)}")
        now = now_ms()
        record = msgspec.structs.replace(record, revoked_ms=now, revoked_by=ctx.actor)
        access.put_key(record)
        others = access.keys()
    is_last = not any(it.name == record.name and it.is_valid(now) for it in others)
    paused = _pause_webhooks(ctx, record.name) if is_last else []
    text = f"Key {record.id} ({record.name}) is revoked; it is refused within {REVOKED_WITHIN_S} s."
    if paused:
        text += f" Its webhooks are paused: {', '.join(paused)}."
    ctx.print_result(_row(record, now) | {"webhooks_paused": paused}, lambda out: print_line(out, text))


def rotate(
    context: typer.Context,
    identity: KeyId,
    overlap_hours: Annotated[
        float,
        typer.Option("--overlap", min=0, max=24 * 90, metavar="HOURS", help="How long the old key is valid as well."),
    ] = OVERLAP_HOURS,
    as_json: AsJson = False,
) -> None:
    """Create a key like an existing one, which ends after an overlap.

    Examples:
        bopis keys rotate 3fa9c1d27be0
        bopis keys rotate 3fa9c1d27be0 --overlap 0
    """
    ctx = open_context(context, as_json)
    now = now_ms()
    with access_table(ctx) as keys:
        old = _find(keys, identity)
        if not old.is_valid(now):
            raise Conflict(cause=f"key {old.id} ({old.name}) is {_state(old, now)}; create a new one")
        text, record = new_key(
            old.name, old.role, stores=old.stores, scopes=old.scopes, created_ms=now, created_by=ctx.actor,
            # The new one is valid as long as the old one was meant to be.
            expires_ms=now + old.expires_ms - old.created_ms if old.expires_ms else 0,
        )  # fmt: skip
        ends = now + round(overlap_hours * HOUR_MS)
        keys.put_key(record)
        # At least a millisecond: 0 would be no end.
        keys.put_key(msgspec.structs.replace(old, expires_ms=min(ends, old.expires_ms or ends)))
    document = {"key": text} | _row(record, now) | {"replaces": old.id, "old_expires": iso(ends)}

    def render(out: Console) -> None:
        _print_new(out, ctx.note, text, record)
        ctx.note(f"The key {old.id} ends at {iso(ends)}.")

    ctx.print_result(document, render)


def _pause_webhooks(ctx: CommandContext, owner: str) -> list[str]:
    """Pause the active webhooks of an owner; returns their ids. A key is revoked also where their table is away."""
    paused = []
    try:
        with webhook_table(ctx) as webhooks:
            for found in webhooks.subscriptions(owner):
                if found.state is SubscriptionState.ACTIVE:
                    reason = f"the last key of {owner} was revoked"
                    changed = msgspec.structs.replace(found, state=SubscriptionState.PAUSED, reason=reason)
                    webhooks.change(changed, "state", "reason")
                    paused.append(found.id)
    except WebhooksUnavailable as error:
        ctx.note(f"The key is revoked, but its webhooks are not paused ({error}). Pause them: bopis webhooks pause.")
    return paused


def _scopes(role: Role, scopes: list[Right]) -> tuple[Right, ...]:
    beyond = [it for it in scopes if it not in RIGHTS[role]]
    if beyond:
        rights = ", ".join(sorted(RIGHTS[role]))
        raise Usage(problem=f"The role {role} has no right {beyond[0]}. Its rights are: {rights}.")
    return tuple(dict.fromkeys(scopes))


def _find(keys: AccessTable, identity: str) -> KeyRecord:
    record = keys.key(identity)
    if record is None:
        raise NotFound(what=f"key {identity!r}; `bopis keys list --all` lists them")
    return record


def _row(record: KeyRecord, now: int) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "stores": record.stores,
        "scopes": record.scopes,
        "created": iso(record.created_ms),
        "created_by": record.created_by,
        "expires": iso(record.expires_ms),
        "revoked": iso(record.revoked_ms),
        "revoked_by": record.revoked_by,
        "state": _state(record, now),
    }


def _state(record: KeyRecord, now: int) -> str:
    if record.revoked_ms:
        return "revoked"
    return "valid" if record.is_valid(now) else "expired"


def _print_new(out: Console, note: Any, text: str, record: KeyRecord) -> None:
    print_line(out, text)
    until = f", until {iso(record.expires_ms)}" if record.expires_ms else ""
    note(f"Key {record.id} of {record.name} ({record.role}){until}. It is shown this once; keep it like a password.")
