"""Names that several parts share are written down once."""

import ast

from bopis.broker import files
from tests.house.plan import FILE_LITERALS, NOT_TOPICS, TOPIC_LITERALS
from tests.house.reading import modules, verdict

NAMES = "bopis/names.py"
LOG_FILES = "bopis/broker/files.py"


def test_topics_are_named_in_one_place() -> None:
    found = []
    for module in modules():
        if module.place == NAMES:
            continue
        for node in module.nodes:
            is_topic = isinstance(node, ast.Constant) and node.value in TOPIC_LITERALS
            if is_topic and f"{module.place}:{node.value}" not in NOT_TOPICS:
                found.append(f"{module.place}:{node.lineno} {node.value!r}")

    assert not found, verdict(found, f"Names of topics beside {NAMES}:")


def test_files_that_several_parts_read_are_named_in_one_place() -> None:
    places: dict[str, list[str]] = {name: [] for name in FILE_LITERALS}
    for module in modules():
        for node in module.nodes:
            if isinstance(node, ast.Constant) and node.value in FILE_LITERALS:
                places[str(node.value)].append(module.place)

    assert places == FILE_LITERALS


def test_files_of_the_log_are_named_in_one_place() -> None:
    named = {value for name, value in vars(files).items() if name.endswith("_FILE")}
    found = [
        f"{module.place}:{node.lineno} {node.value!r}"
        for module in modules()
        if module.place != LOG_FILES
        for node in module.nodes
        if isinstance(node, ast.Constant) and node.value in named
    ]

    assert len(named) == 4
    assert not found, verdict(found, f"Files of the log beside {LOG_FILES}:")


def test_a_class_name_has_one_meaning_in_the_domain() -> None:
    places: dict[str, list[str]] = {}
    for module in modules():
        if module.name.startswith("bopis.domain"):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(module.place)

    found = [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1]

    assert not found, verdict(found, "One class name, one meaning:")
