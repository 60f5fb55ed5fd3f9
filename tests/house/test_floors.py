"""Imports go down the floor plan, never up, sideways or in a circle, not even for types."""

import sys

from tests.house.plan import (
    BARRED,
    DOMAIN_ORDER,
    FLOORS,
    LIBRARIES,
    PURE_ROOMS,
    TOP_PACKAGE,
    room_of,
)
from tests.house.reading import Module, modules, names, verdict


def test_every_module_stands_in_a_room() -> None:
    found = [it.place for it in modules() if room_of(it.name) is None and it.name != TOP_PACKAGE]

    assert not found, verdict(found, "Modules outside of every room of the floor plan:")


def test_imports_go_down_and_never_sideways() -> None:
    found = []
    for module in modules():
        room = room_of(module.name)
        for it in module.imports:
            target = room_of(it.target)
            if room is None or target is None or target == room or it.target not in names():
                continue
            if FLOORS[target] >= FLOORS[room]:
                found.append(f"{module.place}:{it.line} {room} (floor {FLOORS[room]}) imports {it.target}")

    assert not found, verdict(found, "Imports that do not go down:")


def test_the_embedded_log_imports_nothing_of_ours() -> None:
    ours = {name.split(".")[0] for name in names()}
    found = [
        f"{module.place}:{it.line} imports {it.target}"
        for module in modules()
        if room_of(module.name) == "bopis.broker"
        for it in module.imports
        if it.target.split(".")[0] in ours and room_of(it.target) != "bopis.broker"
    ]

    assert not found, verdict(found, "The embedded log could be a package of its own:")


def test_each_room_takes_from_outside_only_what_it_may() -> None:
    found = []
    for module in modules():
        room = room_of(module.name)
        if room is None or room not in LIBRARIES:
            continue
        found += [
            f"{module.place}:{it.line} {room} may not use {it.target}"
            for it in module.imports
            if not _may_use(room, it.target.split(".")[0])
        ]

    assert not found, verdict(found, "Libraries in rooms that may not use them:")


def test_parts_of_the_domain_use_only_what_stands_left_of_them() -> None:
    found = []
    for module in modules():
        part = _domain_part(module.name)
        for it in module.imports:
            target = _domain_part(it.target)
            if part is not None and target is not None and target > part:
                found.append(f"{module.place}:{it.line} imports {it.target}, which stands right of it")

    assert not found, verdict(found, f"The order is {' -> '.join(DOMAIN_ORDER)}:")


def test_migrations_import_nothing_of_ours() -> None:
    found = [
        f"{module.place}:{it.line} imports {it.target}"
        for module in modules()
        if module.name.startswith("migrations.versions")
        for it in module.imports
        if it.target.split(".")[0] in {"bopis", "streams", "store_agent", "cli"}
    ]

    assert not found, verdict(found, "A migration must stay what it was when it was written:")


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {it.name: _neighbours(it) for it in modules()}

    found = [" -> ".join([*circle, circle[0]]) for circle in circles(graph)]

    assert not found, verdict(found, "Import circles:")


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan), each as a sorted list."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for near in sorted(graph.get(node, ())):
            if near not in index:
                visit(near)
                low[node] = min(low[node], low[near])
            elif near in stack:
                low[node] = min(low[node], index[near])
        if low[node] == index[node]:
            cut = stack.index(node)
            group = stack[cut:]
            del stack[cut:]
            if len(group) > 1 or node in graph.get(node, ()):
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def _neighbours(module: Module) -> set[str]:
    return {it.target for it in module.imports if it.target in names() and it.target != module.name}


def _may_use(room: str, library: str) -> bool:
    if any(name.split(".")[0] == library for name in names()):
        return True  # ours: the floors say more
    if library in sys.stdlib_module_names:
        allowed = PURE_ROOMS.get(room)
        return library not in BARRED.get(room, ()) and (allowed is None or library in allowed)
    return library in LIBRARIES[room]


def _domain_part(name: str) -> int | None:
    parts = name.split(".")
    if parts[:2] != ["bopis", "domain"] or len(parts) < 3 or parts[2] not in DOMAIN_ORDER:
        return None
    return DOMAIN_ORDER.index(parts[2])
