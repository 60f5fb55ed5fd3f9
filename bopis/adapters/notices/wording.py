"""Words for customers: Jinja2 templates per language, which a folder of one's own may replace one by one.

Each milestone has a file with three blocks: ``subject``, ``body`` and ``short`` (text messages). The same blocks make
the plain text and, escaped, the HTML. ``labels.toml`` holds the words around them.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from markupsafe import Markup

from bopis.adapters.notices.errors import NoSuchTemplate
from bopis.domain.notices.letter import Words
from bopis.domain.notices.terms import Milestone

log = structlog.get_logger("bopis.notices")

BUILT_IN = Path(__file__).parent / "templates"
LAST_RESORT = "en"
BLOCKS = ("subject", "body", "short")
INSTANTS = ("ready_by", "window_end", "answer_by")


class Wording:
    """Templates of a folder before the built-in ones; a language that is not there falls back, out loud."""

    def __init__(self, folder: Path | None = None, language: str = LAST_RESORT) -> None:
        self._folders = [*([folder] if folder is not None else []), BUILT_IN]
        self._default = language
        self._plain, self._rich = _environment(self._folders, False), _environment(self._folders, True)
        self._own = (_environment([BUILT_IN], False), _environment([BUILT_IN], True))
        self._labels = cache(self._read_labels)
        self._told: set[tuple[str, str]] = set()

    def languages(self) -> list[str]:
        """Every language that there are words in."""
        found = {it.parent.name for folder in self._folders for it in folder.glob("*/*.j2")}
        return sorted(found)

    def words(self, milestone: Milestone, language: str, facts: Mapping[str, Any]) -> Words:
        """A notice in the customer's language, or in the nearest one that there is. Raises `NoSuchTemplate`."""
        for candidate in self._candidates(language):
            try:
                return self._worded((self._plain, self._rich), milestone, candidate, facts)
            except TemplateNotFound as error:
                self._tell("words.missing", candidate, str(error))
            except (TemplateError, OSError, tomllib.TOMLDecodeError, KeyError) as error:
                self._tell("words.broken", candidate, f"{milestone.value}: {error}")
                if (BUILT_IN / candidate / f"{milestone.value}.j2").exists():
                    return self._worded(self._own, milestone, candidate, facts)
        raise NoSuchTemplate(milestone=milestone.value, language=language or self._default)

    def _worded(
        self, pair: tuple[Environment, Environment], milestone: Milestone, language: str, facts: Mapping[str, Any]
    ) -> Words:
        labels = self._labels(language)
        told = {**facts, "labels": labels, "language": language}
        told |= {name: instant_in_words(labels, facts.get(name)) for name in INSTANTS}
        told["hours"] = [
            {"day": _in_words(labels["day"], labels, it["day"]), "times": it["times"]} for it in facts.get("hours", ())
        ]
        plain, rich = (_blocks(it, f"{language}/{milestone.value}.j2", told) for it in pair)
        html = {name: Markup(value) for name, value in rich.items()}
        return Words(
            subject=plain["subject"],
            short=plain["short"],
            text=pair[0].get_template("layout.txt.j2").render(told | plain),
            html=pair[1].get_template("layout.html.j2").render(told | html),
        )

    def _candidates(self, language: str) -> list[str]:
        wanted = language.replace("_", "-").lower()
        return list(dict.fromkeys(it for it in (wanted, wanted.split("-")[0], self._default, LAST_RESORT) if it))

    def _read_labels(self, language: str) -> dict[str, Any]:
        labels: dict[str, Any] = {}
        for folder in reversed(self._folders):
            file = folder / language / "labels.toml"
            if file.exists():
                labels |= tomllib.loads(file.read_text(encoding="utf-8"))
        if not labels:
            raise TemplateNotFound(f"{language}/labels.toml")
        return labels

    def _tell(self, event: str, language: str, cause: str) -> None:
        if (language, cause) not in self._told:
            self._told.add((language, cause))
            log.warning(event, language=language, cause=cause)


def instant_in_words(labels: Mapping[str, Any], at: datetime | None) -> str:
    """An instant on the store's clock as people say it; empty when there is none.

    Midnight is the end of the day before: whoever reads "until Thursday 00:00" comes on Thursday.
    """
    if at is None:
        return ""
    if (at.hour, at.minute) == (0, 0) and "day_end" in labels:
        return _in_words(labels["day_end"], labels, at - timedelta(days=1))
    return _in_words(labels["instant"], labels, at)


def _in_words(form: str, labels: Mapping[str, Any], at: datetime) -> str:
    weekday, month = labels["days"][at.weekday()], labels["months"][at.month - 1]
    return form.format(weekday=weekday, day=at.day, month=month, time=f"{at:%H:%M}")


def _blocks(environment: Environment, name: str, told: Mapping[str, Any]) -> dict[str, str]:
    template = environment.get_template(name)
    context = template.new_context(dict(told))
    return {it: "".join(template.blocks[it](context)).strip() for it in BLOCKS}


def _environment(folders: list[Path], escaped: bool) -> Environment:
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(it) for it in folders]),
        autoescape=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
