"""What is shipped beside the code: the unit of systemd, and the page about the publisher."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bopis.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "bopis-agent.service"
# systemd's own scale, times ten: below 20 a service counts as well confined.
EXPOSURE_MAX = 20


def test_the_unit_sets_settings_that_exist_and_stops_at_a_wrong_one() -> None:
    unit = UNIT.read_text()

    named = re.findall(r"BOPIS_([A-Z_]+)=", unit)
    assert named
    assert {it.lower() for it in named} <= Settings.model_fields.keys()
    assert "RestartPreventExitStatus=78" in unit
    assert "bopis agent run\n" in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_confines_the_agent() -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(UNIT)]

    judged = subprocess.run(command, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout[-2000:] + judged.stderr


def test_the_page_shows_the_example_as_it_is_run() -> None:
    page = (ROOT / "docs" / "concepts" / "sales-publisher.md").read_text()
    example = (ROOT / "examples" / "till.py").read_text()

    assert example.split('"""\n\n', 1)[1].strip() in page
