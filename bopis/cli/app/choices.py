"""Options that take some of the values of an enum, not all."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import typer

Choice = TypeVar("Choice", bound=StrEnum)


def choice_option(choices: Sequence[Choice], help: str) -> Any:
    """A Typer option whose value is one of `choices`; another value is a usage error that lists them."""
    return typer.Option(
        parser=_parser(choices),
        metavar="|".join(choices),
        autocompletion=lambda incomplete: [it for it in choices if it.startswith(incomplete)],
        help=help,
    )


def _parser(choices: Sequence[Choice]) -> Callable[[str], Choice]:
    by_value = {choice.value: choice for choice in choices}

    def parse(value: str) -> Choice:
        if value not in by_value:
            raise ValueError(f"{value!r} is not one of {', '.join(map(repr, by_value))}")
        return by_value[value]

    return parse
