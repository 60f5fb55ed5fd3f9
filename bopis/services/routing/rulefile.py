"""Rule sets as TOML files: read, checked by name, and written out."""

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
    """The rule set that a TOML text tells of; what it leaves out is as in the standard one."""
    told = tomllib.loads(text)
    if "name" not in told or "version" not in told:
        raise ValueError("a rule set needs a name and a version, by which decisions name it")
    rules = msgspec.convert(told, RuleSet)
    twice = [it.by.value for it in rules.rankers if sum(other.by is it.by for other in rules.rankers) > 1]
    if twice:
        raise ValueError(f"ranker {twice[0]!r} stands there twice; the second one could never speak")
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
