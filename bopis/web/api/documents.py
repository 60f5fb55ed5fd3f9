"""The OpenAPI document and its page: ``/openapi.json``, ``/docs``."""

from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response

from bopis.web.endpoint import Call, Endpoint
from bopis.web.openapi import document

TAG = "documents"


async def read_document(_call: Call) -> Response:
    """The OpenAPI 3.1 document of this API."""
    return Response(_document(), media_type="application/json", headers={"Cache-Control": "max-age=300"})


@cache
def _document() -> bytes:
    from bopis.web.api import ENDPOINTS

    found: dict[str, Any] = document(ENDPOINTS)
    return msgspec.json.format(msgspec.json.encode(found), indent=1)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/openapi.json", handle=read_document, right=None, tag=TAG, summary="This document"
    ),
)  # fmt: skip
