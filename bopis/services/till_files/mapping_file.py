"""Mapping files: parsed from TOML, checked strictly, and those that are shipped."""

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from bopis.services.till_files.checks import FIELDS, problems_in
from bopis.services.till_files.errors import MappingInvalid, MappingUnknown
from bopis.services.till_files.mapping import Mapping
from bopis.tables.header import nearest
from bopis.wire.text import in_words

PACKAGE = "bopis.services.till_files.mappings"
SUFFIX = ".toml"
EXTENDS = "extends"
WHOLE = frozenset(FIELDS)  # an expression is one value, although it can be a table
PROBLEMS_MAX = 10
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `\$\.?(?P<at>[^`]*)`)?")


def shipped_names() -> tuple[str, ...]:
    """The names of the shipped mappings, sorted."""
    found = resources.files(PACKAGE).iterdir()
    return tuple(sorted(it.name.removesuffix(SUFFIX) for it in found if it.name.endswith(SUFFIX)))


def shipped_text(name: str) -> str:
    """The TOML text of a shipped mapping. Raises `MappingUnknown`."""
    if name not in shipped_names():
        near = nearest(name, shipped_names())
        hint = f" (did you mean {near}?)" if near else ""
        raise MappingUnknown(name=name, near=hint, known=", ".join(shipped_names()))
    return resources.files(PACKAGE).joinpath(name + SUFFIX).read_text(encoding="utf-8")


def read_mapping(name: str) -> Mapping:
    """The mapping in a TOML file, or the shipped one of that name. Raises `MappingInvalid` or `MappingUnknown`."""
    path = Path(name)
    if path.suffix != SUFFIX and not path.exists():
        return parse_mapping(shipped_text(name), name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise MappingInvalid(name=name, problems=getattr(error, "strerror", None) or error) from error
    return parse_mapping(text, name)


def parse_mapping(text: str, name: str) -> Mapping:
    """The mapping in a TOML text; `name` is for errors. Raises `MappingInvalid` with every problem that was found."""
    document = _document(text, name)
    unknown = list(_unknown_keys(document, Mapping, ""))
    if unknown:
        raise MappingInvalid(name=name, problems="; ".join(unknown[:PROBLEMS_MAX]))
    try:
        mapping = msgspec.convert(document, Mapping)
    except msgspec.ValidationError as error:
        raise MappingInvalid(name=name, problems=in_words(str(error))) from error
    problems = list(problems_in(mapping))
    if problems:
        raise MappingInvalid(name=name, problems="; ".join(problems[:PROBLEMS_MAX]))
    return mapping


def _document(text: str, name: str) -> dict[str, Any]:
    """The tables of a TOML text, on those of the shipped mapping that it extends."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingInvalid(name=name, problems=f"it is no TOML: {error}") from error
    base = document.pop(EXTENDS, None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise MappingInvalid(name=name, problems="extends is the name of a shipped mapping")
    merged = _merged(tomllib.loads(shipped_text(base)), document)
    if "store" in document and "store" not in document.get("columns", {}):
        # Files of one store need no column for it.
        merged.get("columns", {}).pop("store", None)
    return merged


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Tables of both; where both have a value, the own one wins, and lists are not joined."""
    found = dict(base)
    for key, value in own.items():
        known = found.get(key)
        if isinstance(known, dict) and isinstance(value, dict) and key not in WHOLE:
            found[key] = _merged(known, value)
        else:
            found[key] = value
    return found


def _unknown_keys(document: Any, kind: Any, place: str) -> Iterator[str]:
    """A sentence for each key that the language does not have, with the nearest that it has."""
    info = msgspec.inspect.type_info(kind) if not isinstance(kind, msgspec.inspect.Type) else kind
    match info:
        case msgspec.inspect.UnionType(types=types):
            found = next((it for it in types if isinstance(it, msgspec.inspect.StructType)), None)
            if found is not None:
                yield from _unknown_keys(document, found, place)
        case msgspec.inspect.VarTupleType(item_type=item) if isinstance(document, list):
            for number, part in enumerate(document, start=1):
                yield from _unknown_keys(part, item, f"{place}[{number}]")
        case msgspec.inspect.StructType(fields=fields) if isinstance(document, dict):
            known = {it.encode_name: it.type for it in fields}
            for key, value in document.items():
                path = f"{place}.{key}".lstrip(".")
                if key in known:
                    yield from _unknown_keys(value, known[key], path)
                else:
                    near = nearest(key, known)
                    hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
                    yield f"{path} is unknown ({hint})"
