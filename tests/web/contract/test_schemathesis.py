"""Generated requests against the running API: no fault of the server, and every answer as the document says."""

import json
import os
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi import checks

from bopis.access.roles import Role
from tests.web.shop import Shop

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8"))
# A stream does not end.
STREAMS = "/v1/events"
# Every operation gets so many requests. One test for both lengths: each test function costs 5 s before the first runs.
EXAMPLES = int(os.environ.get("BOPIS_TEST_EXAMPLES", "3"))
# Of the 3,400 requests at the bounds of every field, each third is sent outside of a soak.
BOUNDS_STEP = 1 if "BOPIS_TEST_EXAMPLES" in os.environ else 3
bounds = count()
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path=STREAMS)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.ignored_auth,
    checks.unsupported_method,
]


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """Lines as they are, and anything else as one line."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


LIMITS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    database=None,
)


def check(case: Any, shop: Shop) -> None:
    """Send one request and check its answer. 503 is an answer of this API: a gate of time."""
    if case.meta is not None and case.meta.phase.name is TestPhase.COVERAGE and next(bounds) % BOUNDS_STEP:
        return
    headers = {"Authorization": f"Bearer {shop.key_of(Role.HQ_OPERATOR)}"}
    response = case.call(base_url=shop.url, headers=headers, timeout=60)
    if response.status_code == 503:
        return
    case.validate_response(response, checks=CHECKS, headers=headers)


@schema.parametrize()
@LIMITS
def test_generated_requests_are_answered_as_documented(case: Any, shop: Shop) -> None:
    check(case, shop)
