"""The OpenAPI document, and the same as a page for people: ``/openapi.json``, ``/docs``."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from bopis.web.endpoint import Call, Endpoint
from bopis.web.openapi import document, kind_in_words

TAG = "documents"
KEPT = {"Cache-Control": "max-age=300"}
TEMPLATES = Path(__file__).parents[1] / "pages" / "templates"


async def read_document(call: Call) -> Response:
    """The OpenAPI 3.1 document of this API."""
    return Response(_text(_endpoints(call)), media_type="application/json", headers=KEPT)


async def read_page(call: Call) -> Response:
    """The OpenAPI document as a page that needs no script."""
    return HTMLResponse(_page(_endpoints(call)), headers=KEPT)


def _endpoints(call: Call) -> tuple[Endpoint, ...]:
    endpoints: tuple[Endpoint, ...] = call.request.app.state.endpoints
    return endpoints


@lru_cache(maxsize=1)
def _text(endpoints: tuple[Endpoint, ...]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document(endpoints)), indent=1)


@lru_cache(maxsize=1)
def _page(endpoints: tuple[Endpoint, ...]) -> str:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = document(endpoints)
    sections = [(tag, _operations(found, tag["name"])) for tag in found["tags"]]
    schemas = {name: _fields(schema) for name, schema in sorted(found["components"]["schemas"].items())}
    described = {name: schema.get("description", "") for name, schema in found["components"]["schemas"].items()}
    page = templates.get_template("docs.html")
    return page.render(document=found, sections=sections, schemas=schemas, described=described, kind=kind_in_words)


def _operations(found: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]


def _fields(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
    required = schema.get("required", ())
    return [(name, field, name in required) for name, field in schema.get("properties", {}).items()]


ENDPOINTS = (
    Endpoint(
        method="GET", path="/openapi.json", handle=read_document, right=None, tag=TAG, summary="This document"
    ),
    Endpoint(
        method="GET", path="/docs", handle=read_page, right=None, tag=TAG, summary="This document as a page",
        media_type="text/html",
    ),
)  # fmt: skip
