"""Generated sequences of requests against the running API: the links of the document carry the numbers of orders,
webhooks and deliveries from one answer into the next request."""

import copy
import uuid
from collections import Counter
from typing import Any, ClassVar

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from bopis.access.roles import Role
from tests.web.contract.test_schemathesis import CHECKS, DOCUMENT, STREAMS
from tests.web.shop import OWN, SKUS, Shop

REQUESTS = 150
SOAK_REQUESTS = 20_000
STEPS = 6
SCENARIOS = 12
PLACE, SUBSCRIBE = "POST /v1/orders", "POST /v1/webhooks"
# Each endpoint alone is asked without a credential in test_schemathesis; here that would be two requests for one.
SEQUENCE_CHECKS = [
    *(it for it in CHECKS if it is not checks.ignored_auth),
    checks.use_after_free,
    checks.ensure_resource_availability,
]


def reading_lists_only(document: dict[str, Any]) -> dict[str, Any]:
    """The document without links from a list to a change: lists also have the orders and webhooks of other tests."""
    found = copy.deepcopy(document)
    methods = {it["operationId"]: method for path in found["paths"].values() for method, it in path.items()}
    for path in found["paths"].values():
        for response in path.get("get", {}).get("responses", {}).values():
            links = response.get("links", {})
            response["links"] = {name: it for name, it in links.items() if methods[it["operationId"]] == "get"}
    return found


def schema() -> Any:
    """The document for sequences, with its own links alone."""
    made = schemathesis.openapi.from_dict(reading_lists_only(DOCUMENT)).exclude(path=STREAMS)
    made.config.phases.stateful.inference.algorithms = []
    return made


def repair(case: Any) -> None:
    """Let a request that is meant to be valid name a store and articles that exist, and a key that is new."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    label, body = case.operation.label, case.body
    if isinstance(body, dict) and isinstance(body.get("store"), str) and body["store"]:
        body["store"] = OWN
    if label == PLACE:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
        # JSON Schema calls 1.0 an integer; the API does not.
        lines = [{"sku": SKUS[0], "quantity": int(it["quantity"]) % 9 + 1} for it in body["lines"]]
        case.body = {"store": OWN, "lines": lines, "customer": {"name": "Anna"}, "note": body.get("note", "")}
    if label == SUBSCRIBE:
        types = [it for it in body["types"] if it != "webhook.test"] or ["order.placed"]
        case.body = body | {"url": "http://127.0.0.1:9/", "types": types, "stores": []}


def play(shop: Shop, requests: int) -> Counter[str]:
    """Play sequences until so many requests were sent. Returns how many answers each operation gave with success."""

    class Sequence(schema().as_state_machine()):  # type: ignore[misc]  # a class made at run time
        """One sequence of requests."""

        sent = 0
        succeeded: ClassVar[Counter[str]] = Counter()

        def before_call(self, case: Any) -> None:
            repair(case)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {shop.key_of(Role.HQ_OPERATOR)}"}
            if case.operation.label == PLACE:
                headers["Prefer"] = "wait=10"  # until the order is decided: then its commands find it
            return {"base_url": shop.url, "headers": headers, "timeout": 60}

        def validate_response(self, response: Any, case: Any, *_: Any, **options: Any) -> None:
            Sequence.sent += 1
            # 503 is an answer of this API: a gate of time.
            if response.status_code == 503:
                return
            Sequence.succeeded[case.operation.label] += 200 <= response.status_code < 300
            case.validate_response(response, checks=SEQUENCE_CHECKS, transport_kwargs=options, recorder=self.recorder)

    limits = settings(
        max_examples=SCENARIOS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    while Sequence.sent < requests:
        Sequence.run(settings=limits)
    return Sequence.succeeded


def with_values(succeeded: Counter[str], text: str) -> int:
    """Successes of operations that need a value in their path."""
    return sum(count for label, count in succeeded.items() if text in label)


def test_values_of_answers_lead_to_other_requests_that_are_answered_as_documented(shop: Shop) -> None:
    succeeded = play(shop, REQUESTS)

    assert with_values(succeeded, "{order}"), succeeded
    assert with_values(succeeded, "{webhook}"), succeeded


@pytest.mark.soak
def test_many_sequences_are_answered_as_documented(shop: Shop) -> None:
    succeeded = play(shop, SOAK_REQUESTS)

    for label in (PLACE, SUBSCRIBE, "GET /v1/orders/{order}", "POST /v1/orders/{order}/cancellation"):
        assert succeeded[label], label
    for label in ("DELETE /v1/webhooks/{webhook}", "GET /v1/webhooks/{webhook}/deliveries/{delivery}"):
        assert succeeded[label], label
