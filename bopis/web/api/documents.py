"""The OpenAPI document and its page: ``/openapi.json``, ``/docs``."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from starlette.responses import Response

from bopis.web.endpoint import Call, Endpoint
from bopis.web.openapi import document

TAG = "documents"


async def read_document(call: Call) -> Response:
    """The OpenAPI 3.1 document of this API."""
    endpoints: Sequence[Endpoint] = call.request.app.state.endpoints
    body = await call.site.in_thread(encoded_document, tuple(endpoints))
    return Response(body, media_type="application/json", headers={"Cache-Control": "max-age=300"})


@lru_cache(maxsize=1)
def encoded_document(endpoints: tuple[Endpoint, ...]) -> bytes:
    """The document of these endpoints as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(document(endpoints)), indent=1)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/openapi.json", handle=read_document, right=None, tag=TAG, summary="This document"
    ),
)  # fmt: skip
