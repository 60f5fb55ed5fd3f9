"""The verdict on a demonstration: every figure, and who says that it is right."""

import json
import os
import subprocess
import sys
import time

from sqlalchemy import Engine, select

from bopis.commands.demo_actors import INVENTORY, ORDERS
from bopis.commands.demo_proof import mails_in_outbox, told_by_readside
from bopis.commands.demo_scene import Killed, Scene
from bopis.commands.shell import Shell
from bopis.domain.values import HOUR_MS
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.schema import levels
from bopis.services.dead_letters import letters
from bopis.services.demo.report import Kill, Latency, Offline, Report, latency_of, wrongs
from bopis.services.demo.tally import compared, pickup_wrongs
from bopis.services.demo.world import World

VERIFY_SECONDS_MAX = 120.0


def reported(shell: Shell, world: World, scene: Scene, engine: Engine, began: float) -> Report:
    """The report: what the judge, the read side and `bopis verify` say now that all is quiet."""
    on_hand = _on_hand(engine)
    findings = scene.auditor.findings(on_hand)
    gaps = sum(it.last - it.first + 1 for it in queries.gaps(engine))
    with shell.reader() as reader:
        parked = len(letters(reader, shell.settings.topic_prefix))
    verdict = _verified(shell)
    calm, whole, caught_up_ms = _latencies(scene)
    found = compared(scene.tally, scene.tally.told(mails_in_outbox(shell)), told_by_readside(engine))
    wrong = wrongs(findings, gaps, parked, verdict, scene.late) + pickup_wrongs(found, len(scene.tally.pickups))
    wrong += tuple(f"the killed {name} worker did not come back" for name, it in scene.kills.items() if not it.ready_ms)
    return Report(
        ok=not wrong,
        wrong=wrong,
        seed=world.seed,
        stores=len(world.stores),
        skus=len(world.categories),
        trading_seconds=round(scene.traded_seconds, 1),
        times_real=round((scene.clock.closes_ms - scene.clock.opens_ms) / 1000 / scene.traded_seconds),
        messages=scene.messages,
        lines=scene.lines,
        units_sold=scene.units,
        messages_per_second=round(scene.messages / scene.traded_seconds, 1),
        lines_per_second=round(scene.lines / scene.traded_seconds, 1),
        latency_ms=calm,
        latency_with_kill_ms=whole,
        holds=findings,
        oversold=findings.oversold,
        gaps=gaps,
        dead_letters=parked,
        mismatches=findings.mismatches,
        verify=verdict,
        offline=_offline(scene),
        kill=_kill(scene.kills[INVENTORY], caught_up_ms),
        kill_of_orders=_kill(scene.kills[ORDERS]),
        pickups=found,
        data_dir=str(shell.settings.data_dir),
        seconds=round(time.monotonic() - began, 1),
    )


def _offline(scene: Scene) -> Offline:
    hours = (scene.offline_until_ms - scene.offline_since_ms) / HOUR_MS
    return Offline(store=scene.offline_store, hours=round(hours, 1), late_baskets=scene.late)


def _kill(killed: Killed, caught_up_ms: int | None = None) -> Kill:
    def seconds_after(at_ms: int) -> float:
        return round(max(0, at_ms - killed.killed_ms) / 1000, 2)

    return Kill(
        pid=killed.pid,
        successor_pid=killed.successor_pid,
        ready_after_seconds=seconds_after(killed.ready_ms),
        caught_up_after_seconds=None if caught_up_ms is None else seconds_after(caught_up_ms),
    )


def _latencies(scene: Scene) -> tuple[Latency, Latency, int]:
    """Without what was published from the kill until its backlog was taken, and with it; and when that was."""
    killed = scene.kills[INVENTORY]
    backlog = [at + taken for at, taken in scene.latencies if killed.killed_ms <= at <= killed.ready_ms]
    caught_up_ms = max(killed.ready_ms, *map(int, backlog)) if backlog else killed.ready_ms
    away = range(killed.killed_ms, caught_up_ms + 1)
    calm = [latency for said_ms, latency in scene.latencies if said_ms not in away]
    return latency_of(calm), latency_of([latency for _, latency in scene.latencies]), caught_up_ms


def _on_hand(engine: Engine) -> dict[tuple[str, str], int]:
    query = select(levels.c.store, levels.c.sku, levels.c.on_hand)
    with reading(engine) as connection:
        return {(store, sku): on_hand for store, sku, on_hand in connection.execute(query)}


def _verified(shell: Shell) -> str:
    """What `bopis verify` says, as a user would run it."""
    environment = os.environ | {f"BOPIS_{name.upper()}": str(it) for name, it in shell.flags.items()}
    command = [sys.executable, "-m", "cli", "verify", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=VERIFY_SECONDS_MAX, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return f"failed with exit code {done.returncode}"
    if "error" in told:
        return str(told["error"]["message"])
    if told["clean"]:
        return "clean"
    found = [f"{it['where']}: {it['said']}" for it in told["violations"]]
    if told["readside"] is not None:
        found += [f"{it['where']}: {it['figure']}" for it in told["readside"]["differences"]]
    return f"{len(found)} differences, first {found[0]}"
