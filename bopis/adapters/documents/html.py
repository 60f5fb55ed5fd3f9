"""Papers as one HTML page. The page loads nothing, so it prints the same without a network."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from bopis.domain.papers import Paper, PaperKind

FOLDER = Path(__file__).parent
TEMPLATE = "paper.html"
STYLE = "paper.css"
QR_SCALE = 4


def as_html(papers: Sequence[Paper]) -> str:
    """One document with each paper on its own sheet."""
    sheets = [
        {
            "paper": paper,
            "qr": qr_code(paper.code),
            "boxes": paper.kind is PaperKind.PICK_LIST,
        }
        for paper in papers
    ]
    title = f"{papers[0].title} {papers[0].number}" if papers else ""
    style = (FOLDER / STYLE).read_text(encoding="utf-8")
    return _template().render(sheets=sheets, title=title, style=Markup(style))


def qr_code(text: str) -> Markup:
    """A QR code as an SVG element."""
    # Error correction M survives creased paper; many scanners cannot read micro QR codes.
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=QR_SCALE, border=2, omitsize=True))


@cache
def _template() -> Template:
    loader = FileSystemLoader(FOLDER)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        TEMPLATE
    )
