"""Stores: import them, look at them, set their policy."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands import store_policy
from bopis.commands.errors import RowsBroken, TopicUnknown
from bopis.commands.saying import NoWait, wait_until
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.readside.queries.answers import StoreAnswer
    from bopis.services.directory import StoreRecord

LINGER_MS = 20
PROBLEMS_TOLD_MAX = 20

app = typer.Typer(help="Stores: import, list, show, set the policy.", no_args_is_help=True)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header, or NDJSON.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the sound rows, leave the others out.")] = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Import stores: store_id, name, street, city, state, postal_code, latitude, longitude, time_zone, opening_hours,
    holidays, cutoff, capacity_minutes, pick_seconds, cost, closed.

    Opening hours are written as in OpenStreetMap (Mo-Sa 08:00-20:00; PH off); without any the store never closes.
    Holidays are dates and the country whose public holidays PH means (US 2026-12-24). A store that is there already
    takes the new values. Rows that are not sound are named with their line; nothing is sent then, unless --skip-bad
    is given.
    """
    from bopis.adapters.opening_hours import OsmHours
    from bopis.commands.rowfiles import read_rows
    from bopis.services.directory import read_store

    shell = open_shell(context, as_json)
    shell.bootstrap  # noqa: B018  (says at once that no log runs)
    stores: dict[str, StoreRecord] = {}
    rejected: list[dict[str, Any]] = []
    hours = OsmHours()
    for row in read_rows(file):
        read = read_store(row.cells, hours)
        problems = read if isinstance(read, list) else []
        if not isinstance(read, list):
            if read.store_id in stores:
                problems = [f"store_id {read.store_id} stands in the file twice"]
            stores.setdefault(read.store_id, read)
        if problems:
            rejected.append({"line": row.line, "problems": problems})
    for it in rejected[:PROBLEMS_TOLD_MAX]:
        shell.say(f"{file}:{it['line']}: {'; '.join(it['problems'])}")
    if len(rejected) > PROBLEMS_TOLD_MAX:
        shell.say(f"... and {len(rejected) - PROBLEMS_TOLD_MAX} more.")
    if rejected and not skip_bad:
        raise RowsBroken(file=file, bad=len(rejected), rows=len(stores) + len(rejected))
    _publish(shell, list(stores.values()), no_wait)
    document = {"imported": len(stores), "rejected": rejected}
    shell.answer(
        document,
        lambda out: out.print(f"Imported {len(stores)} store{'s' * (len(stores) != 1)} from {file}", soft_wrap=True),
    )


@app.command("list")
def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="In id, name, city or state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the stores that were imported or heard from, with their policy and how old their news is."""
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        found = queries.all_stores(engine)
    if search:
        wanted = search.lower()
        found = [it for it in found if wanted in f"{it.store} {it.name} {it.city} {it.state}".lower()]

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain, table

        if not found:
            shell.say("No stores. Import some with `bopis stores import FILE`.")
            return
        grid = table("store", "name", "city", "state", "time zone", "pickup", "rules", "news")
        for it in found:
            pickup = "on" if it.pickup else "OFF"
            cells: list[Any] = [
                it.store,
                plain(it.name),
                plain(it.city),
                it.state,
                it.time_zone,
                pickup,
                _rules_told(it.rules),
            ]
            grid.add_row(*cells, _news(it))
        out.print(grid)

    shell.note_if_idle()
    shell.answer({"stores": found}, render)


@app.command()
def show(
    context: typer.Context, store: Annotated[str, typer.Argument(help="Id of the store.")], as_json: AsJson = False
) -> None:
    """Show one store: where it is, its policy, its devices' missing messages, its holds."""
    from bopis.commands.readside_access import known_store
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        about = known_store(engine, store)
        gaps, holds = queries.gaps(engine, store), queries.holds(engine, store)

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain

        place = ", ".join(it for it in (about.street, about.city, about.state, about.postal_code) if it)
        point = "" if about.latitude is None else f" ({about.latitude}, {about.longitude})"
        for label, value in (
            ("store", f"{about.store}  {about.name}"),
            ("place", f"{place}{point}"),
            ("time zone", about.time_zone),
            ("pickup", "on" if about.pickup else "OFF"),
            ("rules", _rules_told(about.rules) or "none"),
            ("silence", f"forgiven for {about.staleness_grace_minutes} min; {_news(about)}"),
            ("holds", f"{len(holds)} active"),
        ):
            out.print(plain(f"{label:<12}{value}"), soft_wrap=True)
        for it in gaps:
            out.print(plain(f"{'missing':<12}messages {it.first} to {it.last} of {it.source}"), soft_wrap=True)

    shell.note_if_idle()
    shell.answer({"store": about, "gaps": gaps, "holds": holds}, render)


def _publish(shell: Shell, stores: "list[StoreRecord]", no_wait: bool) -> None:
    from bopis.readside import queries
    from bopis.services.directory import STORES_TOPIC, publish_store

    with shell.reader() as reader:
        if not reader.end_offsets([STORES_TOPIC]):
            raise TopicUnknown(topic=STORES_TOPIC, hint="; `bopis up` or `bopis worker projection` creates it")
    with shell.publisher(LINGER_MS) as publisher:
        deliveries: list[Any] = [publish_store(publisher, it) for it in stores]
        publisher.flush()
        placed = [it.wait() for it in deliveries]
    if no_wait or not placed:
        return
    newest = {it.partition: it.offset for it in sorted(placed)}
    with shell.engine() as engine:

        def is_seen() -> bool:
            seen = {it.partition: it.position for it in queries.positions(engine) if it.topic == STORES_TOPIC}
            return all(seen.get(partition, -1) >= offset for partition, offset in newest.items())

        wait_until(shell, is_seen, f"{len(placed)} stores")


def _rules_told(rules: dict[str, dict[str, int]]) -> str:
    told = []
    for name, terms in sorted(rules.items()):
        units = ", ".join(f"{term.replace('_', ' ')} {number}" for term, number in terms.items())
        told.append(f"{name}: {units}")
    return "; ".join(told)


def _news(store: "StoreAnswer") -> str:
    from bopis.commands.levels import heard

    if store.heard_at is None:
        return heard(None)
    return heard(max(0, int((datetime.now(UTC) - store.heard_at).total_seconds() * 1000)))


def register(root: typer.Typer) -> None:
    app.command()(store_policy.policy)
    root.add_typer(app, name="stores")
