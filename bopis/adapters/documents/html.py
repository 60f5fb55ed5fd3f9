"""Papers as one page to print: nothing is fetched, so that it prints the same without a network."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from bopis.adapters.documents.papers import Kind, Paper

FOLDER = Path(__file__).parent
TEMPLATE = "paper.html"
STYLE = "paper.css"
QR_SCALE = 4


def as_html(papers: Sequence[Paper]) -> str:
    """One document with each paper on a sheet of its own."""
    sheets = [{"paper": it, "qr": qr_code(it.code), "boxes": it.kind is Kind.PICK_LIST} for it in papers]
    title = f"{papers[0].title} {papers[0].number}" if papers else ""
    style = (FOLDER / STYLE).read_text(encoding="utf-8")
    return _template().render(sheets=sheets, title=title, style=Markup(style))


def qr_code(text: str) -> Markup:
    """A QR code as an SVG element."""
    made = segno.make(text, error="m", micro=False)
    return Markup(made.svg_inline(scale=QR_SCALE, border=2, omitsize=True))


@cache
def _template() -> Template:
    loader = FileSystemLoader(FOLDER)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        TEMPLATE
    )
