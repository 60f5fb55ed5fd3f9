"""Health, readiness and figures: ``/livez``, ``/readyz``, ``/metrics``."""

from msgspec import Struct
from starlette.responses import PlainTextResponse, Response

from bopis.access.roles import Right
from bopis.web.endpoint import Call, Endpoint
from bopis.web.metrics import Metrics
from bopis.web.problems import Problem

TAG = "operation"
TEXT = "text/plain"


class Readiness(Struct, frozen=True, kw_only=True):
    """What a process that is ready has read: `age_ms` ago its memory had everything that the log has."""

    ready: bool
    age_ms: int
    stores: int


async def live(_call: Call) -> Response:
    """The process answers. It never asks the log or a database."""
    return PlainTextResponse("ok")


async def ready(call: Call) -> Readiness:
    """The memory is loaded and follows the log."""
    site = call.site
    most_ms = int(site.settings.web_age_seconds_max * 1000)
    if site.failure:
        raise Problem(
            503,
            "not-followed",
            f"The log is not followed after a fault ({site.failure}); its cause is in the log of this process.",
            retry_after_s=5,
        )
    if not site.is_ready:
        raise Problem(503, "not-ready", "The log is away, or its tables are being read.", retry_after_s=2)
    if site.age_ms > most_ms:
        detail = f"The log is away, or is not followed in time: the data are {site.age_ms // 1000} s old."
        raise Problem(503, "not-ready", detail, retry_after_s=2)
    return Readiness(ready=True, age_ms=site.age_ms, stores=len(site.stock.routing.tables.stores()))


async def figures(call: Call) -> Response:
    """Figures of this process and of the installation for Prometheus."""
    metrics: Metrics = call.request.app.state.metrics
    return Response(await metrics.text(), media_type="text/plain; version=0.0.4")


ENDPOINTS = (
    Endpoint(
        method="GET", path="/livez", handle=live, right=None, summary="Process answers", tag=TAG, media_type=TEXT,
    ),
    Endpoint(
        method="GET", path="/readyz", handle=ready, right=None, summary="Ready for requests", tag=TAG,
        answer=Readiness, statuses=(503,),
    ),
    Endpoint(
        method="GET", path="/metrics", handle=figures, right=Right.OPERATIONS_READ, summary="Figures for Prometheus",
        tag=TAG, media_type=TEXT,
    ),
)  # fmt: skip
