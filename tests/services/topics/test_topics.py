"""Every topic is defined once; each difference from the definition is reported with its correction."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from bopis.names import DEAD_LETTERS_TOPIC
from bopis.settings import Settings, load
from bopis.topics.definitions import BY_NAME, TOPICS, Retention, plan, plans
from bopis.topics.plans import TopicDifference, TopicPlan, TopicState, differences
from streams.engine.topics import topic_plans
from streams.limits import StreamLimits
from streams.processors.inventory import InventoryProcessor
from tests.engines import Engine
from tests.services.topics.history import received
from tests.services.topics.installation import ROOT, Installation

SETTINGS = load(topic_prefix="p.", partitions=4)


def as_planned(it: TopicPlan) -> TopicState:
    return TopicState(
        partitions=it.partitions, replication_factor=it.replication_factor, settings={**it.config(), "other": "x"}
    )


def found(name: str, **settings: str) -> tuple[TopicDifference, ...]:
    """The differences of a topic with these settings that is otherwise as planned."""
    it = plan(BY_NAME[name], SETTINGS)
    changed = {key.replace("_", "."): value for key, value in settings.items()}
    return differences(it, replace(as_planned(it), settings={**as_planned(it).settings, **changed}))


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Installation:
    return Installation(engine, tmp_path / "place", f"t{uuid.uuid4().hex[:8]}.", 4)


@pytest.mark.parametrize("name", [it.name for it in TOPICS])
def test_a_topic_that_is_as_planned_fits(name: str) -> None:
    assert found(name) == ()


def test_the_books_are_kept_for_ever_whatever_is_set() -> None:
    for it in TOPICS:
        if it.retention is Retention.FOR_EVER:
            config = plan(it, load(dead_letter_retention_days=3)).config()
            assert (config["cleanup.policy"], config["retention.ms"]) == ("delete", "-1"), it.name


def test_dead_letters_are_kept_as_long_as_set() -> None:
    topic = BY_NAME["dead-letters"]

    assert plan(topic, load(dead_letter_retention_days=2)).config()["retention.ms"] == str(2 * 24 * 3_600_000)
    assert plan(topic, load()).config()["retention.ms"] == "-1"


def test_another_number_of_partitions_is_refused_with_the_reason_and_the_way() -> None:
    it = plan(BY_NAME["stock"], replace_partitions(7))

    [misfit] = differences(it, as_planned(plan(BY_NAME["stock"], SETTINGS)))

    assert (misfit.setting, misfit.found, misfit.needed, misfit.required) == ("partitions", "4", "7", True)
    assert "keys would move away from their rows" in misfit.mend
    assert "bopis topics migrate --to-prefix NEW --partitions 7" in misfit.mend


def replace_partitions(partitions: int) -> Settings:
    return load(topic_prefix="p.", partitions=partitions)


@pytest.mark.parametrize(
    ("name", "setting", "value", "required"),
    [
        ("stock", "cleanup.policy", "compact", True),
        ("stock", "cleanup.policy", "compact,delete", True),
        ("stock", "message.timestamp.type", "CreateTime", True),
        ("stock", "retention.ms", "604800000", True),
        ("stock", "max.message.bytes", "1048588", True),
        ("inventory-levels", "cleanup.policy", "delete", True),
        ("inventory-levels", "delete.retention.ms", "5", False),
        ("dead-letters", "retention.ms", "604800000", False),
    ],
)
def test_a_setting_that_does_not_fit_is_named_with_what_mends_it(
    name: str, setting: str, value: str, required: bool
) -> None:
    [misfit] = found(name, **{setting.replace(".", "_"): value})

    assert (misfit.topic, misfit.setting, misfit.found, misfit.required) == (f"p.{name}", setting, value, required)
    assert f"bopis topics set p.{name} {setting}=" in misfit.mend


def test_more_room_than_planned_fits() -> None:
    assert found("stock", max_message_bytes="99999999") == ()


def test_fewer_copies_than_planned_are_told_but_do_no_harm() -> None:
    settings = load(broker="kafka://h:1", replication_factor=3, min_insync_replicas=2)
    it = plan(BY_NAME["stock"], settings)

    told = differences(it, replace(as_planned(it), replication_factor=1))

    assert [(one.setting, one.required) for one in told] == [("replication factor", False)]


def test_copies_that_cannot_be_are_refused_as_a_setting() -> None:
    for unsound in ({"replication_factor": 3}, {"broker": "kafka://h:1", "min_insync_replicas": 2}):
        with pytest.raises(ValidationError, match="replication_factor"):
            load(**unsound)


def test_the_topics_that_a_worker_declares_are_described_and_take_its_batches() -> None:
    from streams.engine.connection import LogConnection

    limits = StreamLimits()
    way = LogConnection(bootstrap="", prefix="p.", partitions=4, data_dir=Path(), plans=plans(SETTINGS))
    needed = {DEAD_LETTERS_TOPIC: limits.dead_letter_bytes_max, "inventory-levels": limits.commit_bytes_max}

    for it in topic_plans(InventoryProcessor(), way, limits):
        name = it.name.removeprefix("p.")
        if name in BY_NAME:
            assert it == plan(BY_NAME[name], SETTINGS)
            assert int(it.config()["max.message.bytes"]) >= needed.get(name, limits.source_bytes_max)


def test_topics_are_shown_first_then_created_and_then_they_fit(place: Installation) -> None:
    before = place.ask("topics", "create", "--dry-run")
    still = place.ask("topics", "list")
    made = place.ask("topics", "create")
    again = place.ask("topics", "create")

    assert {it["state"] for it in before["topics"]} == {"absent"}
    assert still["topics"] == []
    assert {it["state"] for it in made["topics"]} == {"created"}
    assert {it["state"] for it in again["topics"]} == {"fits"}
    assert [it["settings"] for it in again["topics"]] == [it["settings"] for it in before["topics"]]


def test_what_does_not_fit_ends_with_four_and_nothing_is_created(place: Installation) -> None:
    place.ask("topics", "create")
    place.environment["BOPIS_PARTITIONS"] = "7"

    done = place.command("topics", "create", "--json")

    assert done.returncode == 4
    states = {it["topic"].removeprefix(place.prefix): it["state"] for it in json.loads(done.stdout)["topics"]}
    assert states["stock"] == states["inventory-levels"] == "does not fit"
    assert states["dead-letters"] == "fits"
    assert "keys would move away" in done.stderr


def test_a_worker_does_not_start_on_a_topic_that_does_not_fit(place: Installation) -> None:
    place.ask("topics", "create")
    place.environment["BOPIS_PARTITIONS"] = "7"
    words = [sys.executable, "-m", "streams", "worker", "inventory"]

    done = subprocess.run(
        words, cwd=ROOT, env=place.environment, capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 78
    assert "partitions" in done.stderr
    assert "bopis topics migrate --to-prefix NEW --partitions 7" in done.stderr


def test_a_setting_can_be_mended_and_the_books_cannot_be_cut(place: Installation) -> None:
    place.ask("topics", "create")
    spoiled = place.ask("topics", "set", "inventory-levels", "delete.retention.ms=5")
    differs = place.ask("topics", "create")
    place.ask("topics", "set", "inventory-levels", "delete.retention.ms=604800000")
    mended = place.ask("topics", "create")
    cut = place.command("topics", "set", f"{place.prefix}stock", "retention.ms=1000")
    wrong = place.command("topics", "set", "stock", "retention.bytes=abc")
    unknown = place.command("topics", "set", "stock", "no.such.setting=1")

    assert spoiled["settings"]["delete.retention.ms"]["is"] == "5"
    assert [it["state"] for it in differs["topics"] if it["state"] != "fits"] == ["differs"]
    assert {it["state"] for it in mended["topics"]} == {"fits"}
    assert (cut.returncode, wrong.returncode, unknown.returncode) == (4, 4, 5)
    assert "kept for ever" in cut.stderr


def test_a_half_moved_prefix_is_refused_by_workers_and_a_dry_run_moves_nothing(place: Installation) -> None:
    place.ask("topics", "create")
    with place.worker():
        place.tell(*(received(f"S{number}") for number in range(20)))
        place.wait_decided()
    new = Installation(place.engine, place.home / "new", place.prefix + "n.", 7)
    words = ("topics", "migrate", "--to-prefix", new.prefix, "--partitions", "7")

    dry = place.ask(*words, "--dry-run")
    untouched = new.ask("topics", "create", "--dry-run")
    killed = place.die("append:15", *words)
    half = new.command("topics", "create", "--json")

    assert (dry["messages"], dry["stores"], dry["moved"]) == (20, 20, {})
    assert {it["state"] for it in untouched["topics"]} == {"absent"}
    assert (killed.returncode, half.returncode) == (-9, 4)
    assert "If `bopis topics migrate` into this prefix has not finished, run it again" in half.stderr


@pytest.mark.parametrize("option", ["--restart", "--anew"])
def test_an_unfinished_move_starts_over_under_either_name_of_the_option(place: Installation, option: str) -> None:
    place.ask("topics", "create")
    with place.worker():
        place.tell(*(received(f"S{number}") for number in range(20)))
        place.wait_decided()
    new = Installation(place.engine, place.home / "new", place.prefix + "n.", 7)
    words = ("topics", "migrate", "--to-prefix", new.prefix, "--partitions", "7")
    place.die("append:15", *words)

    unsure = place.command(*words, option)
    moved = place.ask(*words, option, "--yes")

    assert (unsure.returncode, "nothing was deleted" in unsure.stderr.lower()) == (2, True), unsure.stderr
    assert moved["appended"] == moved["moved"], "nothing of the first attempt is left"
    assert moved["moved"]["stock"] >= 20
