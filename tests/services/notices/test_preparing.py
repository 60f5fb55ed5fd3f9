"""From a delivery to a message: when there is none, and its text."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bopis.adapters.notices.errors import TemplateMissing
from bopis.adapters.notices.rendering import BUILT_IN, TemplateRenderer
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import Channel, Milestone, SendOutcome
from bopis.domain.values import HOUR_MS, epoch_ms
from bopis.services.notifier.attempts import AttemptMemory
from bopis.services.notifier.quiet_hours import QuietHours, read_quiet_hours
from tests.services.notices.book import ORDER, START_MS
from tests.services.notices.letters import Desk

QUIET = read_quiet_hours("21:00-08:00")
CHICAGO = "America/Chicago"


def at(text: str) -> int:
    return epoch_ms(datetime.fromisoformat(text))


def verdict(made: OutgoingMessage | SendResult) -> SendOutcome:
    assert isinstance(made, SendResult), made
    return made.outcome


def test_what_is_found_too_late_is_not_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    due = desk.due()

    made = desk.notifier.prepare(ORDER, due, due.valid_until_ms + 1)

    assert verdict(made) is SendOutcome.STALE


def test_an_erased_customer_is_told_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    due = desk.due()
    desk.vault.erase("c1")

    made = desk.notifier.prepare(ORDER, due, START_MS)

    assert verdict(made) is SendOutcome.ERASED


@pytest.mark.parametrize(("channel", "known"), [(Channel.EMAIL, {"phone": "+1"}), (Channel.SMS, {"email": "a@b.c"})])
def test_who_gave_no_address_for_a_channel_is_told_nothing_there(
    channel: Channel, known: dict[str, str], tmp_path: Path
) -> None:
    desk = Desk(tmp_path)

    made = desk.notifier.prepare(ORDER, desk.due(channel=channel, contact=known), START_MS)

    assert verdict(made) is SendOutcome.NO_ADDRESS


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-22T20:59:00-06:00", None),
        ("2026-11-22T21:00:00-06:00", "2026-11-23T08:00:00-06:00"),
        ("2026-11-23T07:59:00-06:00", "2026-11-23T08:00:00-06:00"),
        ("2026-11-23T08:00:00-06:00", None),
        ("2026-03-07T23:00:00-06:00", "2026-03-08T08:00:00-05:00"),
        ("2026-10-31T23:00:00-05:00", "2026-11-01T08:00:00-06:00"),
    ],
)
def test_quiet_hours_run_on_the_clock_of_the_store(now: str, ends: str | None) -> None:
    assert QUIET is not None

    found = QUIET.ends_ms(at(now), CHICAGO)

    assert found == (None if ends is None else at(ends))


def test_quiet_hours_within_one_day_are_read() -> None:
    hours = QuietHours(12 * 60, 13 * 60 + 30)

    found = hours.ends_ms(at("2026-11-23T12:10:00-06:00"), CHICAGO)

    assert found == at("2026-11-23T13:30:00-06:00")
    assert hours.ends_ms(at("2026-11-23T13:30:00-06:00"), CHICAGO) is None


@pytest.mark.parametrize(
    ("milestone", "channel", "facts", "waits"),
    [
        (Milestone.READY, Channel.EMAIL, {}, True),
        (Milestone.READY, Channel.SMS, {}, True),
        (Milestone.READY, Channel.WEBHOOK, {}, False),
        (Milestone.PLACED, Channel.EMAIL, {}, False),
        (Milestone.READY, Channel.EMAIL, {"window_end_ms": START_MS + 3 * HOUR_MS}, False),
        (Milestone.EXPIRED, Channel.EMAIL, {"window_end_ms": START_MS}, True),
        (Milestone.REFUNDED, Channel.SMS, {"window_end_ms": START_MS}, True),
    ],
)
def test_what_can_wait_waits_for_the_end_of_quiet_hours(
    milestone: Milestone, channel: Channel, facts: dict[str, Any], waits: bool, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, quiet=QuietHours(0, 23 * 60 + 59))  # all day but one minute

    made = desk.notifier.prepare(ORDER, desk.due(milestone, channel, **facts), START_MS)

    assert isinstance(made, SendResult) is waits


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("milestone", list(Milestone))
def test_there_are_words_for_every_milestone_in_every_language(
    milestone: Milestone, language: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)

    with capture_logs() as logs:
        words = desk.letter(milestone, language=language, answer_by_ms=START_MS + HOUR_MS).words

    assert logs == []
    assert all((words.subject, words.short, words.text, words.html))
    assert "{" not in words.text
    assert f'<html lang="{language}">' in words.html


def test_times_are_told_on_the_clock_of_the_store_in_the_words_of_the_language(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    end_ms = at("2026-11-25T20:00:00-06:00")

    english = desk.letter(window_end_ms=end_ms).words.text
    german = desk.letter(window_end_ms=end_ms, language="de-AT").words.text

    assert "Wednesday, November 25, 2026, 8:00 PM" in english
    assert "Mittwoch, 25. November 2026, 20:00 Uhr" in german


def test_dates_are_written_as_in_the_customers_region(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    end_ms = at("2026-11-25T20:00:00-06:00")

    american = desk.letter(window_end_ms=end_ms, language="en-US").words
    british = desk.letter(window_end_ms=end_ms, language="en_GB").words

    assert "Wednesday, November 25, 2026, 8:00 PM" in american.text
    assert american.short.isascii()
    assert "Wednesday, 25 November 2026, 20:00" in british.text


def test_labels_of_ones_own_may_name_days_and_months_in_forms_of_their_own(tmp_path: Path) -> None:
    own = tmp_path / "own" / "en"
    own.mkdir(parents=True)
    (own / "labels.toml").write_text(
        'days = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"]\ninstant = "{weekday} {day} {month} {year} {time}"\n'
    )
    facts = facts_of(tmp_path) | {"window_end": datetime(2026, 11, 25, 20, 0, tzinfo=UTC)}

    text = TemplateRenderer(tmp_path / "own").render(Milestone.READY, "en", facts).text

    assert "We 25 Nov 2026 20:00" in text


def test_midnight_is_told_as_the_end_of_the_day_before(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    end_ms = at("2026-11-26T00:00:00-06:00")

    english = desk.letter(window_end_ms=end_ms).words
    german = desk.letter(window_end_ms=end_ms, language="de").words

    assert "until the end of Wednesday, November 25, 2026" in english.text
    assert "Until the end of Wednesday, November 25, 2026." in english.short
    assert "bis Mittwoch, 25. November 2026, 24 Uhr" in german.text
    assert "00:00" not in english.html + german.html


def test_a_language_without_words_falls_back_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    with capture_logs() as logs:
        subject = desk.letter(language="pt").words.subject

    assert subject == "Your order 4K7P-92QX is ready"
    assert [it["event"] for it in logs] == ["words.missing"]


def test_a_folder_replaces_words_one_by_one(tmp_path: Path) -> None:
    own = tmp_path / "own" / "en"
    own.mkdir(parents=True)
    (own / "ready.j2").write_text(
        "{% block subject %}Come{% endblock %}{% block body %}b{% endblock %}{% block short %}s{% endblock %}"
    )
    (own / "labels.toml").write_text('code = "Your secret"\n')
    facts = facts_of(tmp_path)

    renderer = TemplateRenderer(tmp_path / "own")

    assert renderer.render(Milestone.READY, "en", facts).subject == "Come"
    assert "Your secret: 123 456" in renderer.render(Milestone.READY, "en", facts).text
    assert renderer.render(Milestone.PLACED, "en", facts).subject == "Your order O"


@pytest.mark.parametrize("broken", ["{% block subject %}", "{% block subject %}{{ nonsense }}{% endblock %}"])
def test_a_broken_template_of_ones_own_gives_way_to_the_built_in_one(broken: str, tmp_path: Path) -> None:
    own = tmp_path / "own" / "en"
    own.mkdir(parents=True)
    (own / "ready.j2").write_text(broken)

    with capture_logs() as logs:
        words = TemplateRenderer(tmp_path / "own").render(Milestone.READY, "en", facts_of(tmp_path))

    assert words.subject == "Your order O is ready"
    assert [it["event"] for it in logs] == ["words.broken"]


def test_without_any_words_it_is_told_where_to_put_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bopis.adapters.notices.rendering.BUILT_IN", tmp_path)

    with pytest.raises(TemplateMissing):
        TemplateRenderer().render(Milestone.READY, "en", facts_of(tmp_path))

    assert BUILT_IN.exists()


def facts_of(home: Path) -> dict[str, Any]:
    """Facts for templates, with a store without an address."""
    return {
        "order": "O",
        "name": "Anna",
        "store": {"name": "S", "address": "", "map": ""},
        "lines": [],
        "code": "123456",
        "picture": "",
        "reason": "",
        "reason_name": "",
    }


def test_a_repeat_is_known_and_what_is_older_than_the_memory_is_in_doubt() -> None:
    memory = AttemptMemory(kept=2)

    met = [memory.is_new(name, at_ms) for name, at_ms in (("a", 1), ("b", 2), ("b", 2), ("c", 3))]

    assert met == [True, True, False, True]
    assert [memory.covers(it) for it in (1, 2)] == [False, True]
