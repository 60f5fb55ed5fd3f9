"""Rule sets as TOML files: parsed, checked and written."""

import tomllib
from pathlib import Path

import msgspec

from bopis.domain.sourcing.rules import RuleSet
from bopis.services.routing.errors import RulesUnreadable


def read_rules(file: Path | None) -> RuleSet:
    """The rule set of a file; the standard one without a file. Raises `RulesUnreadable`."""
    if file is None:
        return RuleSet()
    try:
        return rules_of(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise RulesUnreadable(file=file, cause=error) from error


def rules_of(text: str) -> RuleSet:
    """The rule set in a TOML text; keys that are absent have the values of the standard one.

    Raises `TOMLDecodeError`, msgspec's `ValidationError`, or `ValueError` for a rule set without a name or version, or
    with a ranker twice.
    """
    document = tomllib.loads(text)
    if "name" not in document or "version" not in document:
        raise ValueError("a rule set needs a name and a version, by which decisions name it")
    rules = msgspec.convert(document, RuleSet)
    names = [ranking.by.value for ranking in rules.rankers]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"ranker {repeated[0]!r} is listed twice; the second one would have no effect")
    return rules


def written(rules: RuleSet) -> str:
    """A rule set as TOML."""
    lines = []
    for name, value in msgspec.to_builtins(rules).items():
        if name == "rankers":
            continue
        lines.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}")
    for it in rules.rankers:
        lines += ["", "[[rankers]]", f'by = "{it.by.value}"', f"step = {it.step}"]
    return "\n".join(lines) + "\n"
