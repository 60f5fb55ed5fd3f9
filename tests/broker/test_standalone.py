"""The embedded log is a package of its own: it runs where nothing else of the product is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bopis.broker
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

PACKAGE = Path(bopis.broker.__file__).parent
IMPORT_ALL = """
import importlib, pkgutil, sys, bopis.broker
for module in pkgutil.walk_packages(bopis.broker.__path__, "bopis.broker."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith(("bopis.", "streams"))), sep="\\n")
"""


def test_it_runs_without_the_rest_of_the_product(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "bopis" / "broker")
    (tmp_path / "bopis" / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    loaded = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], env=environment, cwd=tmp_path, capture_output=True, check=True, timeout=120
    ).stdout.decode()

    engine = EmbeddedEngine(tmp_path / "log")
    engine.root = tmp_path
    engine.start()
    try:
        with Wire(engine.address) as wire:
            assert wire.create_topic("t", 1, {}) == 0
            assert wire.produce("t", batch((b"k", b"v"))).base_offset == 0
    finally:
        assert engine.stop() == 0

    assert "bopis.broker.handlers.fetch" in loaded
    assert all(name == "bopis.broker" or name.startswith("bopis.broker.") for name in loaded.split())
