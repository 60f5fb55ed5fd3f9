"""Names of columns: unknown, misspelt, repeated and missing ones are named with the nearest known one."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from bopis.tables.errors import HeaderInvalid

NEAR_ENOUGH = 0.6
UNKNOWN_NAMED_MAX = 5  # a file with more unknown columns is of another kind


class ColumnNames(NamedTuple):
    """The columns that a kind of file may have, those that it must have, and names that may be passed over."""

    known: tuple[str, ...]
    required: tuple[str, ...]
    ignored: frozenset[str] = frozenset()


def folded(name: str) -> str:
    """A name without case, spaces and punctuation: names are compared so where they are guessed."""
    return re.sub(r"[\W_]", "", name).casefold()


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, empty if none is."""
    found = max(((_likeness(name, it), it) for it in known), default=(0.0, ""))
    return found[1] if found[0] >= NEAR_ENOUGH else ""


def column_names(file: str, header: Sequence[str], columns: ColumnNames) -> list[str]:
    """The known name of each column of a header, in its order, empty for those that are passed over.

    Names compare without case. Raises `HeaderInvalid`, which lists every problem.
    """
    ignored = {name.strip().casefold() for name in columns.ignored}
    names = ["" if name.casefold() in ignored else name for name in header]
    by_fold = {name.casefold(): name for name in columns.known}
    found = [by_fold.get(name.casefold(), name) for name in names]
    problems = []
    for place, name in enumerate(found, start=1):
        if not name and not header[place - 1]:
            problems.append(f"column {place} has no name")
    for name, count in Counter(name for name in found if name).items():
        if count > 1:
            places = " and ".join(str(place) for place, it in enumerate(found, 1) if it == name)
            problems.append(f"column {name!r} occurs {count} times (places {places})")
    missing = [name for name in columns.required if name not in found]
    free = [name for name in columns.known if name not in found]
    unknown = [name for name in dict.fromkeys(found) if name and name not in columns.known]
    problems += [unknown_text(name, free) for name in unknown[:UNKNOWN_NAMED_MAX]]
    if len(unknown) > UNKNOWN_NAMED_MAX:
        problems.append(f"{len(unknown) - UNKNOWN_NAMED_MAX:,} more columns are unknown")
    problems += [f"column {name!r} is missing" for name in missing]
    if problems:
        instead = ", or pass columns over with --ignore-columns NAME" if unknown else ""
        known = ", ".join(columns.known)
        raise HeaderInvalid(name=file, problems="; ".join(problems), instead=instead, known=known)
    return found


def unknown_text(name: str, known: Collection[str]) -> str:
    """A sentence about an unknown name: ``column 'timezone' is unknown; did you mean time_zone?``."""
    near = nearest(name, known)
    return f"column {name!r} is unknown" + (f" (did you mean {near}?)" if near else "")


def _likeness(name: str, known: str) -> float:
    one, other = folded(name), folded(known)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    # `hours` for opening_hours: a part of a name is near, however long the rest is.
    if min(len(one), len(other)) > 2 and (one in other or other in one):
        return 0.9
    return SequenceMatcher(None, one, other).ratio()
