"""Links of the OpenAPI document: where an answer has a value that other operations take, such as the number of a new
order. Generators of clients follow them, and so do tests that play sequences of requests.

Written as OpenAPI 3.1 has them: https://spec.openapis.org/oas/v3.1.0#link-object
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bopis.web.endpoint import Endpoint

# A page leads to the next one of the same list.
CURSOR = "cursor"
Link = dict[str, Any]


def links_of(source: Endpoint, endpoints: Sequence[Endpoint]) -> dict[str, Link]:
    """By the name of the operation: the operations that take a value of the answer of `source` in their path, and with
    it the other parameters that the answer or the path of `source` has."""
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


def _link(target: Endpoint, parameters: dict[str, str]) -> Link:
    return {"operationId": target.name, "parameters": dict(sorted(parameters.items()))}


def _in_path(endpoint: Endpoint) -> set[str]:
    return set(re.findall(r"{(\w+)}", endpoint.path))
