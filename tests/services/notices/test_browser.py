"""Mails as a browser lays them out: on a phone nothing is cut off at the right."""

import os
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

from bopis.adapters.notices.brand import Brand
from bopis.adapters.notices.example import example_words
from bopis.adapters.notices.rendering import TemplateRenderer
from bopis.domain.notices.vocabulary import Milestone

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), "")
WIDTH = 320
# Measured in frames of a phone's width: a browser's own window has a width of its own at least.
PAGE = """<!doctype html><meta charset="utf-8">{frames}<p id="found"></p><script>
onload = () => {{
  const widths = [...document.querySelectorAll("iframe")].map(
    it => it.id + "=" + it.contentDocument.scrollingElement.scrollWidth);
  document.getElementById("found").textContent = "measured " + widths.join(" ");
}};
</script>"""
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=10000 --dump-dom"
)


def measured(mails: dict[str, str], home: Path) -> dict[str, int]:
    """The width that each mail takes in a frame of WIDTH pixels."""
    frames = "".join(
        f'<iframe id="{name}" width="{WIDTH}" height="900" style="border:0" srcdoc="{escape(html)}"></iframe>'
        for name, html in mails.items()
    )
    page = home / "page.html"
    page.write_text(PAGE.format(frames=frames), encoding="utf-8")
    command = [BROWSER, *FLAGS.split(), f"--user-data-dir={home / 'profile'}", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r"measured ([^<]*)</p>", shown)
    assert found, shown[-500:]
    return {name: int(width) for name, width in (it.split("=") for it in found[1].split())}


@pytest.mark.skipif(
    not BROWSER and os.environ.get("CI") != "true", reason="no Chromium is installed (apt install chromium)"
)
def test_every_mail_fits_a_phone_of_320_pixels(tmp_path: Path) -> None:
    brand = Brand(name="A shop with a long name, " * 4, reply_to="customers-of-the-whole-country@shop.example.org")
    renderer = TemplateRenderer(brand=brand)
    mails = {
        f"{milestone.value}-{language}": example_words(renderer, brand, milestone, language).html
        for milestone in Milestone
        for language in ("en", "de")
    }
    assert "ready-en" in mails

    widths = measured(mails | {"wide": f'<div style="width:{WIDTH + 80}px">wide</div>'}, tmp_path)

    assert widths.pop("wide") > WIDTH, "the measurement must see what is too wide"
    assert {name: width for name, width in widths.items() if width > WIDTH} == {}
    assert widths.keys() == mails.keys()
