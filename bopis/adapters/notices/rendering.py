"""Texts of notices: Jinja2 templates per language, which a folder of the installation may override one by one.

Each milestone has a file with three blocks: ``subject``, ``body`` and ``short`` (text messages). The plain text and,
escaped, the HTML are made of the same blocks. ``labels.toml`` contains the texts around them.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from markupsafe import Markup

from bopis.adapters.notices.brand import Brand, check_templates
from bopis.adapters.notices.errors import TemplateMissing
from bopis.adapters.notices.local_texts import LocalTexts, locale_of
from bopis.domain.notices.delivery import RenderedText
from bopis.domain.notices.vocabulary import Milestone

log = structlog.get_logger("bopis.notices")

BUILT_IN = Path(__file__).parent / "templates"
LAST_RESORT = "en"
BLOCKS = ("subject", "body", "short")
# Labels that belong to a language: they are not taken from another one.
OF_THE_LANGUAGE = frozenset({"locale", "instant", "day", "day_end", "days", "months"})


class _Templates(NamedTuple):
    """Environments of the plain text and of the HTML."""

    plain: Environment
    html: Environment


class TemplateRenderer:
    """Implements `bopis.ports.NoticeRenderer`. Templates of `folder` override the built-in ones; a language without
    templates falls back to another one, with a warning in the log. Raises `ChannelMisconfigured` for a folder that is
    none."""

    def __init__(self, folder: Path | None = None, language: str = LAST_RESORT, brand: Brand | None = None) -> None:
        check_templates(folder)
        self._folders = [*([folder] if folder is not None else []), BUILT_IN]
        self._default = language
        self._brand = brand or Brand()
        self._templates = _templates(self._folders)
        self._built_in = _templates([BUILT_IN])
        self._labels = cache(self._read_labels)
        self._warned: set[tuple[str, str]] = set()

    def render(self, milestone: Milestone, language: str, facts: Mapping[str, Any]) -> RenderedText:
        """The text in the customer's language, or in the nearest language with templates. Raises `TemplateMissing`."""
        for candidate in self._candidates(language):
            try:
                return self._rendered(self._templates, milestone, language, candidate, facts)
            except TemplateNotFound as error:
                self._warn("words.missing", candidate, str(error))
            except (TemplateError, OSError, tomllib.TOMLDecodeError, KeyError) as error:
                self._warn("words.broken", candidate, f"{milestone.value}: {error}")
                if (BUILT_IN / candidate / f"{milestone.value}.j2").exists():
                    return self._rendered(self._built_in, milestone, language, candidate, facts)
        raise TemplateMissing(milestone=milestone.value, language=language or self._default)

    def _rendered(
        self,
        templates: _Templates,
        milestone: Milestone,
        customer_language: str,
        language: str,
        facts: Mapping[str, Any],
    ) -> RenderedText:
        labels = self._labels(language)
        country = str(facts.get("store", {}).get("country", ""))
        locale = locale_of(customer_language, language, labels, country)
        context = LocalTexts(labels, locale, self._brand).context(milestone, facts) | {"language": language}
        plain, rich = (_blocks(it, f"{language}/{milestone.value}.j2", context) for it in templates)
        html = {name: Markup(value) for name, value in rich.items()}
        return RenderedText(
            subject=plain["subject"],
            short=plain["short"],
            text=templates.plain.get_template("layout.txt.j2").render(context | plain),
            html=templates.html.get_template("layout.html.j2").render(context | html),
        )

    def _candidates(self, language: str) -> list[str]:
        tag = language.replace("_", "-").lower()
        return list(dict.fromkeys(it for it in (tag, tag.split("-")[0], self._default, LAST_RESORT) if it))

    def _read_labels(self, language: str) -> dict[str, Any]:
        labels: dict[str, Any] = {}
        for folder in reversed(self._folders):
            file = folder / language / "labels.toml"
            if file.exists():
                labels |= tomllib.loads(file.read_text(encoding="utf-8"))
        if not labels:
            raise TemplateNotFound(f"{language}/labels.toml")
        if language != LAST_RESORT:
            # A folder that was written for an older version lacks the labels that are new since.
            last = self._labels(LAST_RESORT)
            labels = {name: text for name, text in last.items() if name not in OF_THE_LANGUAGE} | labels
        return labels

    def _warn(self, event: str, language: str, cause: str) -> None:
        """Log a cause once."""
        if (language, cause) not in self._warned:
            self._warned.add((language, cause))
            log.warning(event, language=language, cause=cause)


def _blocks(environment: Environment, name: str, context: Mapping[str, Any]) -> dict[str, str]:
    template = environment.get_template(name)
    bound = template.new_context(dict(context))
    return {block: "".join(template.blocks[block](bound)).strip() for block in BLOCKS}


def _templates(folders: list[Path]) -> _Templates:
    return _Templates(_environment(folders, escaped=False), _environment(folders, escaped=True))


def _environment(folders: list[Path], *, escaped: bool) -> Environment:
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
