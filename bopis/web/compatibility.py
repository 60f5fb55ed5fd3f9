"""Compatibility of two versions of the OpenAPI document."""

from collections.abc import Mapping
from typing import Any


def breaks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a client of one document would miss in another one: paths, methods, parameters, answers and fields that are
    gone, links between answers and requests, and parameters and fields of requests that are required now."""
    found = []
    for path, methods in before["paths"].items():
        for method, old in methods.items():
            place, new = f"{method.upper()} {path}", after["paths"].get(path, {}).get(method)
            if new is None:
                found.append(f"{place} is gone")
            else:
                found += [f"{place}: {it}" for it in _operation_breaks(old, new)]
    sent = {name for document_ in (before, after) for name in _sent(document_)}
    old_schemas, new_schemas = before["components"]["schemas"], after["components"]["schemas"]
    for name, old in old_schemas.items():
        if name not in new_schemas:
            found.append(f"schema {name} is gone")
            continue
        new = new_schemas[name]
        found += [f"{name}.{it} is gone" for it in old.get("properties", {}) if it not in new.get("properties", {})]
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        if name in sent:
            found += [f"{name}.{it} is required now" for it in sorted(new_required - old_required)]
        else:
            found += [f"{name}.{it} may be absent now" for it in sorted(old_required - new_required)]
        found += [f"{name}: the value {it!r} is gone" for it in old.get("enum", ()) if it not in new.get("enum", ())]
    return found


def _operation_breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    old_params = {(it["in"], it["name"]): it for it in old["parameters"]}
    new_params = {(it["in"], it["name"]): it for it in new["parameters"]}
    found = [f"parameter {name} is gone" for place, name in old_params if (place, name) not in new_params]
    for key, it in new_params.items():
        if it["required"] and not old_params.get(key, {}).get("required"):
            found.append(f"parameter {key[1]} is required now")
    found += [f"answer {it} is gone" for it in old["responses"] if it.startswith("2") and it not in new["responses"]]
    found += [f"link to {it} is gone" for it in _links(old) if it not in _links(new)]
    if "requestBody" in new and "requestBody" not in old:
        found.append("a body is required now")
    if not old.get("security", True) and new.get("security", True):
        found.append("a credential is required now")
    return found


def _links(operation: Mapping[str, Any]) -> list[str]:
    """The operations that answers lead to, with the parameters that they give them."""
    return [
        f"{name} with {', '.join(it['parameters'])}"
        for response in operation["responses"].values()
        for name, it in response.get("links", {}).items()
    ]


def _sent(found: Mapping[str, Any]) -> set[str]:
    """Names of the schemas that clients send."""
    bodies = [operation.get("requestBody") for methods in found["paths"].values() for operation in methods.values()]
    waiting, names = [name for body in bodies if body for name in _references(body)], set()
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _references(found["components"]["schemas"].get(name, {}))
    return names


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for it in node for name in _references(it)]
    if not isinstance(node, Mapping):
        return []
    own = [str(node["$ref"]).rsplit("/", 1)[-1]] if "$ref" in node else []
    return own + [name for it in node.values() for name in _references(it)]
