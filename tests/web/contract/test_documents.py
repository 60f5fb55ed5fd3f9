"""The documents of the API and of the log are current, and a change that breaks clients is noticed."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bopis.reference import asyncapi, openapi
from bopis.topics.definitions import TOPICS
from bopis.web.compatibility import breaks
from tests.web.shop import Shop

DOCS = Path(__file__).parents[3] / "docs"
STORED: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))


def test_no_client_of_the_stored_document_breaks() -> None:
    assert not breaks(STORED, openapi.current()), "give the old form back, or add a new one beside it"


def test_the_openapi_document_is_current() -> None:
    assert openapi.current() == STORED, "python -m bopis.reference.openapi docs/openapi.json"


def test_the_asyncapi_document_is_current() -> None:
    stored = json.loads((DOCS / "asyncapi.json").read_text(encoding="utf-8"))

    assert asyncapi.document() == stored, "python -m bopis.reference.asyncapi docs/asyncapi.json"
    assert set(stored["channels"]) == {it.name for it in TOPICS}
    missing = [name for name in stored["components"]["messages"] if not (DOCS / "schemas" / f"{name}.json").exists()]
    assert not missing


def test_every_schema_of_the_document_is_one() -> None:
    for schema in STORED["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations by name."""
    return {it["operationId"]: it for methods in document["paths"].values() for it in methods.values()}


def test_links_give_every_parameter_of_a_path_from_a_field_that_the_answer_has() -> None:
    found = operations(STORED)
    checked = set()
    for operation in found.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                target = found[link["operationId"]]
                takes = {it["name"]: it for it in target["parameters"]}
                needed = {name for name, it in takes.items() if it["in"] == "path"}
                assert needed <= link["parameters"].keys() <= takes.keys(), link
                checked |= {field_of(it, response) for it in link["parameters"].values()}

    assert {"/order", "/webhook/id", "/orders/0/order", "/id", "/cursor"} <= checked


def field_of(expression: str, response: dict[str, Any]) -> str:
    """The place in the body that an expression names; it must be in the schema of the answer."""
    _, is_body, pointer = expression.partition("$response.body#")
    if not is_body:
        return ""
    schema = response["content"]["application/json"]["schema"]
    for part in pointer.strip("/").split("/"):
        if "$ref" in schema:
            schema = STORED["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        schema = schema["items"] if part.isdigit() else schema["properties"][part]
    return pointer


def without_path(document: dict[str, Any]) -> None:
    del document["paths"]["/v1/orders/{order}"]


def without_method(document: dict[str, Any]) -> None:
    del document["paths"]["/v1/orders"]["post"]


def without_field(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["OrderAccepted"]["properties"]["order"]


def without_schema(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["OrderAccepted"]


def with_a_required_field(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["BasketLine"]["required"].append("unit_price")


def with_a_required_parameter(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/orders"]["get"]["parameters"]
    next(it for it in parameters if it["name"] == "store")["required"] = True


def without_a_parameter(document: dict[str, Any]) -> None:
    document["paths"]["/v1/orders"]["get"]["parameters"].pop(0)


def with_another_status(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/orders"]["post"]["responses"]
    responses["201"] = responses.pop("202")


def without_a_value(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ShortPolicy"]["enum"].pop()


def without_a_link(document: dict[str, Any]) -> None:
    document["paths"]["/v1/orders"]["post"]["responses"]["202"]["links"].popitem()


@pytest.mark.parametrize(
    "change",
    [
        without_a_link, without_path, without_method, without_field, without_schema, with_a_required_field,
        with_a_required_parameter, without_a_parameter, with_another_status, without_a_value,
    ],
)  # fmt: skip
def test_a_change_that_breaks_clients_is_found(change: Any) -> None:
    after = copy.deepcopy(STORED)
    change(after)

    assert breaks(STORED, after)
    assert not breaks(STORED, STORED)


def test_an_addition_breaks_nobody() -> None:
    after = copy.deepcopy(STORED)
    after["components"]["schemas"]["BasketLine"]["properties"]["colour"] = {"type": "string"}
    after["paths"]["/v1/new"] = after["paths"]["/v1/orders"]

    assert not breaks(STORED, after)


def test_the_generator_refuses_a_break_until_it_is_told_to(tmp_path: Path) -> None:
    before = copy.deepcopy(STORED)
    before["paths"]["/v1/gone"] = before["paths"]["/v1/orders"]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(before))

    refused = openapi.write(file, may_break=False)

    assert sorted(refused) == ["GET /v1/gone is gone", "POST /v1/gone is gone"]
    assert json.loads(file.read_text()) == before
    assert openapi.write(file, may_break=True) == refused
    assert json.loads(file.read_text()) == STORED


def test_the_served_document_and_page_are_those_of_the_code(shop: Shop) -> None:
    page = shop.ask("GET", "/docs", None)

    assert shop.ask("GET", "/openapi.json", None).json() == STORED
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for path in STORED["paths"])
    assert "<script" not in page.text
    assert "style=" not in page.text
