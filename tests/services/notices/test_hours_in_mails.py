"""Opening hours in a mail: whole days by name, the last day of the pickup window, and addresses that arrive."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bopis.adapters.notices.mail import MailIdentity, composed
from bopis.adapters.opening_hours import OsmHours
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.values import DAY_MS
from bopis.services.notifier.content import ReferenceData, facts
from tests.services.notices.book import ORDER, START_MS
from tests.services.notices.letters import ANNA, STORE, Desk


def text(home: Path, hours: str, window_end_ms: int | None = None, language: str = "en") -> str:
    """The plain text of a "ready" mail of a store with these hours."""
    desk = Desk(home)
    desk.notifier.reference.stores["S1"] = replace(STORE, opening_hours=hours)
    return desk.letter(window_end_ms=window_end_ms, language=language).words.text


@pytest.mark.parametrize("hours", ["Mo-Su 00:00-24:00", "Mo-Fr 00:00-24:00; Sa,Su 00:00-24:00"])
@pytest.mark.parametrize(("language", "words"), [("en", "open 24 hours"), ("de", "24 Stunden geöffnet")])
def test_o2_26_a_day_without_a_closing_is_told_as_such(tmp_path: Path, hours: str, language: str, words: str) -> None:
    told = text(tmp_path, hours, language=language)

    assert told.count(words) == 3
    assert "closed" not in told
    assert "00:00" not in told


def test_hours_that_nobody_gave_are_not_promised(tmp_path: Path) -> None:
    """A store without hours never closes for the promise; a mail does not send anybody there at night."""
    assert "open 24 hours" not in text(tmp_path, "24/7")


def test_o2_26_the_last_day_of_the_pickup_window_is_listed(tmp_path: Path) -> None:
    reference = ReferenceData()
    reference.stores["S1"] = STORE
    due = Desk(tmp_path).due(window_end_ms=START_MS + 4 * DAY_MS)
    late = Desk(tmp_path).due(window_end_ms=START_MS + 12 * DAY_MS)

    days = [it["day"].date() for it in facts(ORDER, due, reference, OsmHours(), START_MS)["hours"]]
    weeks = [it["day"].date() for it in facts(ORDER, late, reference, OsmHours(), START_MS)["hours"]]

    assert [(day - days[0]).days for day in days] == [0, 1, 2, 3, 4]
    assert [(day - weeks[0]).days for day in weeks] == [0, 1, 2, 12]


def test_a_store_that_was_never_imported_has_no_hours(tmp_path: Path) -> None:
    due = Desk(tmp_path).due(Milestone.READY)

    assert facts(ORDER, due, ReferenceData(), OsmHours(), START_MS)["hours"] == []


def test_o2_31_a_domain_in_other_letters_is_mailed_in_its_ascii_form(tmp_path: Path) -> None:
    letter = Desk(tmp_path).letter(contact={**ANNA, "email": "anna@przykład.pl"})

    mail = composed(letter, MailIdentity(sender="Store <store@example.org>"))

    assert mail["To"].addresses[0].addr_spec == "anna@xn--przykad-rjb.pl"
    assert mail.as_bytes().isascii()


def test_a_name_that_an_earlier_version_sealed_is_taken_out_clean(tmp_path: Path) -> None:
    letter = Desk(tmp_path).letter(contact={**ANNA, "name": "Anna\x1bp0\r\n\u202eAnsi"})

    assert letter.name == "Annap0 Ansi"
