"""The OpenAPI 3.1 document, generated from the table of endpoints and their types."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bopis.web.endpoint import JSON, Endpoint
from bopis.web.problems import MEDIA_TYPE, TITLES, ProblemDocument

VERSION = "1.0.0"
DESCRIPTION = (
    "Buy online, pick up in store. Amounts are minor units of an ISO 4217 currency, instants are RFC 3339 in UTC, "
    "quantities are in a SKU's smallest unit."
)
REF = "#/components/schemas/{name}"
# A page leads to the next one of the same list.
CURSOR = "cursor"
TAGS = {
    "operation": "Health and figures of the process",
    "documents": "This document and its page",
    "availability": "What stores can promise, and when",
    "orders": "Pickup orders",
    "order commands": "Commands of customers, shop fronts and store staff",
    "payments": "How orders are paid",
    "stock": "Levels, history and reasons",
    "stores": "Stores and their work",
    "policies": "Policies of stores",
    "catalogue": "Articles",
    "tills": "Messages of tills",
    "store agents": "Copies of stores for their agents, and work done without the centre",
    "events": "Changes as they happen",
    "webhooks": "Events that are posted to subscribers (Standard Webhooks)",
}
HEADERS = {
    "Idempotency-Key": "A new text per request; a repeat with the same text and content changes nothing.",
    "Prefer": "`wait=SECONDS` waits so long for the outcome (RFC 7240).",
    "If-None-Match": "The `ETag` of an earlier answer; 304 when nothing has changed.",
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document of these endpoints."""
    kinds = _kinds(endpoints)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schema_of)
        if links := _links(endpoint, endpoints):
            operation["responses"][str(endpoint.status)]["links"] = links
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    used = {it.tag for it in endpoints}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bopis",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, or a token of the provider."},
                "session": {"type": "apiKey", "in": "cookie", "name": "bopis_session"},
            },
        },
    }


def _kinds(endpoints: Iterable[Endpoint]) -> list[Any]:
    found: dict[Any, None] = {ProblemDocument: None}
    for endpoint in endpoints:
        for kind in (endpoint.body, endpoint.answer):
            if kind is not None:
                found[kind] = None
        for field in msgspec.structs.fields(endpoint.params):
            found[field.type] = None
    return list(found)


def _operation(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    docstring = " ".join((endpoint.handle.__doc__ or endpoint.summary).split())
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": docstring,
        "tags": [endpoint.tag],
        "parameters": [*_parameters(endpoint, schema_of), *map(_header, endpoint.request_headers)],
        "responses": _responses(endpoint, schema_of),
    }
    if endpoint.right is None:
        operation["security"] = []
    else:
        operation["x-right"] = endpoint.right.value
    if endpoint.body is not None:
        content = {endpoint.media_type: {"schema": schema_of[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    elif endpoint.is_signed:
        content = {JSON: {"schema": {"description": "As its sender signs it."}}}
        operation["requestBody"] = {"required": True, "content": content}
    elif endpoint.raw_body:
        # Messages of many types, described by their own schemas.
        any_object = {"schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}}
        content = {"application/json": any_object, "application/x-ndjson": {"schema": {"type": "string"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(endpoint: Endpoint, schema_of: dict[Any, Any]) -> list[dict[str, Any]]:
    in_path = _in_path(endpoint)
    found = []
    for field in msgspec.structs.fields(endpoint.params):
        schema = dict(schema_of[field.type])
        if not field.required and isinstance(field.default, str | int | float | bool):
            schema["default"] = field.default
        place = "path" if field.encode_name in in_path else "query"
        found.append({"name": field.encode_name, "in": place, "required": field.required, "schema": schema})
    return found


def _header(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": HEADERS[name],
        "schema": {"type": "string"},
    }


def _responses(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if endpoint.answer is not None:
        content = {"content": {JSON: {"schema": schema_of[endpoint.answer]}}}
    elif endpoint.media_type != JSON:
        content = {"content": {endpoint.media_type: {"schema": {"type": "string"}}}}
    responses: dict[str, Any] = {str(endpoint.status): {"description": endpoint.summary, **content}}
    statuses = set(endpoint.statuses) | {400, 429, 500}
    if endpoint.right is not None:
        statuses |= {401, 403}
    if endpoint.body is not None or endpoint.raw_body:
        statuses |= {413, 415, 422}
    problem = {"content": {MEDIA_TYPE: {"schema": schema_of[ProblemDocument]}}}
    for status in sorted(statuses):
        if status == 304:
            responses["304"] = {"description": "Not changed since the answer of that ETag"}
        elif status in endpoint.answer_statuses:
            both = {**problem["content"], **content["content"]}
            responses[str(status)] = {"description": TITLES[status], "content": both}
        else:
            responses[str(status)] = {"description": TITLES[status], **problem}
    return responses


def _links(source: Endpoint, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """By the name of the operation: the operations that take a value of the answer of `source` in their path, and with
    it the other parameters that the answer or the path of `source` has. Form:
    https://spec.openapis.org/oas/v3.1.0#link-object"""
    given = {it.parameter: it.place for it in source.provides}
    known = {name: f"$request.path.{name}" for name in _in_path(source)} | {
        name: it for name, it in given.items() if name != CURSOR
    }
    found = {}
    for target in endpoints:
        path = _in_path(target)
        if path <= known.keys() and path & given.keys():
            names = [it.encode_name for it in msgspec.structs.fields(target.params)]
            found[target.name] = _link(target, {name: known[name] for name in names if name in known})
    if CURSOR in given:
        found[source.name] = _link(source, {name: known[name] for name in _in_path(source)} | {CURSOR: given[CURSOR]})
    return found


def _link(target: Endpoint, parameters: dict[str, str]) -> dict[str, Any]:
    return {"operationId": target.name, "parameters": dict(sorted(parameters.items()))}


def _in_path(endpoint: Endpoint) -> set[str]:
    return set(re.findall(r"{(\w+)}", endpoint.path))


def kind_in_words(schema: Mapping[str, Any]) -> str:
    """A schema in some words for a table: ``list of BasketLine``, ``integer 1 to 500``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(kind_in_words(it) for it in schema[choice]))
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    if kind == "array":
        if "prefixItems" in schema:
            return f"list ({', '.join(map(kind_in_words, schema['prefixItems']))})"
        return f"list of {kind_in_words(schema.get('items') or {})}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {kind_in_words(schema['additionalProperties'])}"
    least, most = schema.get("minimum"), schema.get("maximum")
    limits = "".join((f" from {least}" if least is not None else "", f" to {most}" if most is not None else ""))
    return f"{schema.get('format', kind)}{limits}"
