"""The page for till vendors is run as it stands."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from bopis.wire.stock import STOCK
from tests.cli.program import Installation, clean_environment
from tests.cli.test_working_day import wait_until_sold

PATIENCE_S = 240.0
PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "till-integration.md").read_text(encoding="utf-8")


def example(language: str, contains: str) -> str:
    """The one example of a language with a word in it."""
    found = [it for it in re.findall(rf"```{language}\n(.*?)```", PAGE, re.S) if contains in it]
    assert len(found) == 1
    return str(found[0])


def test_the_message_on_the_page_is_a_message() -> None:
    message = STOCK.decode(example("json", "specversion").encode())

    assert (message.subject, message.seq, len(message.data.lines)) == ("319", 1, 2)


def test_the_till_on_the_page_sells_and_may_be_run_again(bopis: Installation, store: str, tmp_path: Path) -> None:
    program = tmp_path / "till.py"
    program.write_text(example("python", "class Till").replace('"319"', f'"{store}"').replace("store-319", store))
    environment = clean_environment(BOPIS_LOG=bopis.ready["bootstrap"], TILL_JOURNAL=str(tmp_path / "till.sqlite3"))

    for _ in range(2):
        subprocess.run([sys.executable, program], env=environment, check=True, timeout=240)

    wait_until_sold(bopis, store, 2)
    shown = bopis.ask("stores", "show", store)
    assert shown["gaps"] == []
    assert shown["store"]["heard_at"] is not None


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed (apt install kcat)")
def test_the_sale_by_hand_on_the_page_is_booked(bopis: Installation, store: str) -> None:
    script = example("sh", "kcat -P").replace('"319"', f'"{store}"').replace("-k 319", f"-k {store}")
    script = script.replace("store-319", store)

    subprocess.run(
        ["bash", "-c", script], env=clean_environment(BOPIS_LOG=bopis.ready["bootstrap"]), check=True, timeout=120
    )

    wait_until_sold(bopis, store, 3)
    placed = bopis.ask("topics", "tail", "stock", "--key", store)["records"]
    bopis.ask("stock", "receive", store, "4012=1")
    assert {it["partition"] for it in bopis.ask("topics", "tail", "stock", "--key", store)["records"]} == {
        placed[0]["partition"]
    }


def test_a_till_sees_which_of_its_messages_were_refused(bopis: Installation, store: str) -> None:
    source = f"{store}/till-9"
    refused = {"source": source, "type": "bopis.pos.sale.v1", "subject": store, "data": {"basket": "b"}}
    producer = KafkaProducer(bootstrap_servers=bopis.ready["bootstrap"])
    producer.send("bopis.stock", key=store.encode(), value=json.dumps(refused).encode()).get(timeout=120)
    producer.close()

    end = time.monotonic() + PATIENCE_S
    while not (found := bopis.ask("till", "refusals", source)["refusals"]) and time.monotonic() < end:
        time.sleep(0.2)

    assert [it["state"] for it in found] == ["open"]
    assert "bopis.pos.sale.v1" in found[0]["cause"]
    assert bopis.ask("till", "refusals", f"{store}/till-1")["refusals"] == []
    assert f"No message of {store}/till-1 was refused." in bopis("till", "refusals", f"{store}/till-1").err


def test_the_looks_on_the_page_answer(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=1")

    for line in example("sh", "bopis stock show").strip().splitlines():
        words = line.replace("319", store).split()[1:]
        assert bopis(*words).code == 0, line


def test_its_examples_name_no_address_but_the_default() -> None:
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {"19092"}
    assert os.environ.get("BOPIS_LOG") is None
