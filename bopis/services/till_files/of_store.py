"""Mappings of the files of one store, checked before the first file is there."""

from bopis.services.till_files.errors import MappingInvalid
from bopis.services.till_files.mapping import Kind, Mapping
from bopis.services.till_files.mapping_file import read_mapping


def mapping_of_folder(name: str, store: str) -> Mapping:
    """The mapping of complete files of a store. Raises `MappingInvalid` or `MappingUnknown`."""
    return _checked(name, read_mapping(name), store, "")


def mapping_of_growing_file(name: str, store: str) -> Mapping:
    """The mapping of a file of a store that is still being written. Raises `MappingInvalid` or `MappingUnknown`."""
    mapping = read_mapping(name)
    problem = ""
    if mapping.kind is not Kind.NDJSON:
        problem = f"a growing file has lines of kind ndjson, and these are {mapping.kind}; use a [[folder]]"
    elif not mapping.ndjson.lines:
        problem = "each line of a growing file has a whole basket; state ndjson.lines, or use a [[folder]]"
    return _checked(name, mapping, store, problem)


def _checked(name: str, mapping: Mapping, store: str, problem: str) -> Mapping:
    if mapping.store and mapping.store != store:
        problem = f'its store is {mapping.store}, and the agent is store {store}\'s; state store = "{store}" in it'
    elif mapping.stores and store not in mapping.stores.values():
        problem = f"none of its stores is {store}, the agent's; add it to stores"
    if problem:
        raise MappingInvalid(name=name, problems=problem)
    return mapping
