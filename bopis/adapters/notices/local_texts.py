"""Facts of a notice as texts of a language and a region: dates, opening hours, amounts, ways to answer."""

import re
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_day_names, get_month_names
from babel.units import format_unit

from bopis.adapters.notices.brand import Brand
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.payments.money import exponent, plain_amount
from bopis.domain.quantities import EACH, quantity_text

INSTANTS = ("ready_by", "window_end", "answer_by", "happened")
# No-break spaces, which Babel puts before "PM", make a text message cost twice: its alphabet lacks them.
PLAIN_SPACES = str.maketrans({"\u202f": " ", "\xa0": " "})
# Facts that a notice may lack: nothing is shown for them.
ABSENT: Mapping[str, Any] = {
    "wanted_store": "",
    "currency": "",
    "pay_in_store": False,
    "reason_cents": 0,
    "due_cents": 0,
    "is_last": False,
    "lacking": (),
}
STORE: Mapping[str, Any] = {"phone": "", "country": ""}
LINKS: Mapping[str, str] = {"status": "", "cancel": "", "accept": "", "decline": "", "pay": ""}
# Milestones of items that the customer does not get and so does not pay for.
UNPRICED = frozenset({Milestone.CANCELLED, Milestone.EXPIRED, Milestone.SUBSTITUTE_OFFERED})
# Milestones after which nothing can be cancelled any more.
CLOSED = frozenset({Milestone.CANCELLED, Milestone.EXPIRED, Milestone.COLLECTED, Milestone.REFUNDED})
LINES_NAMED_MAX = 3
MILES_ON_ROADS = frozenset({"US", "GB"})
METRES_PER_MILE = 1609.344
DECIMALS_BELOW = 10
# CLDR separates a symbol of letters from the digits by a no-break space; Babel does not.
_UNSPACED = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")


class DateFormat:
    """Dates and times in a locale, in the forms of labels.

    A form may use ``{date}`` (with weekday and year), ``{short_date}`` and ``{time}`` as the locale writes them, or
    ``{weekday}``, ``{day}``, ``{month}`` and ``{year}`` in an order of its own; names come from the lists ``days`` and
    ``months`` of the labels, else from the locale.
    """

    def __init__(self, labels: Mapping[str, Any], locale: Locale) -> None:
        self._labels = labels
        self._locale = locale

    def instant(self, at: datetime | None) -> str:
        """An instant on the store's clock; empty for None.

        Midnight is the end of the day before: a reader of "until Thursday 00:00" would come on Thursday.
        """
        if at is None:
            return ""
        if (at.hour, at.minute) == (0, 0) and "day_end" in self._labels:
            return self._format("day_end", at - timedelta(days=1))
        return self._format("instant", at)

    def day(self, at: datetime) -> str:
        """A day without its year, for the next opening hours."""
        return self._format("day", at)

    def hours(self, day: Mapping[str, Any]) -> str:
        """The opening hours of a day; empty for a day on which the store is closed."""
        if day["all_day"]:
            return str(self._labels["all_day"])
        return ", ".join(f"{self._time(opens)}–{self._time(closes)}" for opens, closes in day["spans"])

    def _time(self, at: datetime) -> str:
        return format_time(at.replace(tzinfo=None), "short", locale=self._locale).translate(PLAIN_SPACES)

    def _format(self, form: str, at: datetime) -> str:
        # Naive, because Babel would convert an aware time to UTC.
        local, locale, labels = at.replace(tzinfo=None), self._locale, self._labels
        days = labels.get("days") or get_day_names("abbreviated", locale=locale)
        months = labels.get("months") or list(get_month_names("abbreviated", locale=locale).values())
        text = str(labels[form]).format(
            date=format_date(local, "full", locale=locale),
            short_date=format_skeleton("MMMEd", local, locale=locale),
            time=format_time(local, "short", locale=locale),
            weekday=days[local.weekday()],
            day=local.day,
            month=months[local.month - 1],
            year=local.year,
        )
        return text.translate(PLAIN_SPACES)


class LocalTexts:
    """Texts of one notice for its templates, with the labels of a language."""

    def __init__(self, labels: Mapping[str, Any], locale: Locale, brand: Brand) -> None:
        self._labels = labels
        self._locale = locale
        self._brand = brand
        self._dates = DateFormat(labels, locale)

    def context(self, milestone: Milestone, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of the templates."""
        known = {**ABSENT, **facts}
        known["store"] = {**STORE, **facts.get("store", {})}
        links = {**LINKS, **facts.get("links", {})}
        links["status"] = links["status"] or self._brand.order_page(str(facts["order"]).replace("-", ""))
        lines = [self._line(it, known["currency"], milestone) for it in facts["lines"]]
        return {
            **known,
            **{name: self._dates.instant(facts.get(name)) for name in INSTANTS},
            **self._sums(milestone, known),
            "labels": self._labels,
            "brand": self._brand,
            "links": links,
            "lines": lines,
            "missing": self._named(lines),
            "lacking": [self._lacking(it) for it in known["lacking"][:LINES_NAMED_MAX]],
            "reason_amount": self._amount(known["reason_cents"], known["currency"]),
            "due_amount": self._amount(known["due_cents"], known["currency"]),
            "reason_text": self._labels["reasons"].get(known.get("reason") or "", ""),
            "hours": [{"day": self._dates.day(it["day"]), "times": self._dates.hours(it)} for it in known["hours"]]
            if "hours" in known
            else [],
            "ways": self._ways(known["store"]["phone"]),
            "is_open": milestone not in CLOSED,
        }

    def _line(self, line: Mapping[str, Any], currency: str, milestone: Milestone) -> dict[str, Any]:
        quantity, unit, cents = line["quantity"], line.get("unit") or EACH, line.get("unit_cents", 0)
        is_each = unit == EACH
        priced = cents and milestone not in UNPRICED
        return {
            **line,
            "units": _units(quantity, unit),
            "amount": self._amount(cents * quantity, currency) if priced else "",
            "each": self._labels["each"].format(amount=self._amount(cents, currency))
            if priced and is_each and quantity > 1
            else "",
        }

    def _sums(self, milestone: Milestone, facts: Mapping[str, Any]) -> dict[str, str]:
        """The total of the lines, and its label."""
        cents = sum(it.get("unit_cents", 0) * it["quantity"] for it in facts["lines"])
        label = "total"
        if milestone is Milestone.REFUNDED:
            label = "refund"
        elif facts["pay_in_store"] and milestone not in CLOSED:
            label = "to_pay"
        shown = self._amount(cents, facts["currency"]) if milestone not in UNPRICED else ""
        return {"total": shown, "total_label": str(self._labels[label])}

    def _amount(self, cents: int, currency: str) -> str:
        return in_locale(cents, currency, self._locale).translate(PLAIN_SPACES) if cents else ""

    def _named(self, lines: Sequence[Mapping[str, Any]]) -> str:
        """The lines in one sentence; many lines are a reference to the list."""
        if not 0 < len(lines) <= LINES_NAMED_MAX:
            return str(self._labels["items_below"])
        return ", ".join(f"{it['units']} {it['name']}" for it in lines)

    def _lacking(self, it: Mapping[str, Any]) -> str:
        """What was ordered of an article, what the store has of it, and which store has more."""
        labels, unit = self._labels, it.get("unit") or EACH
        wanted = _units(it["wanted"], unit)
        form = "lacking" if it["available"] else "lacking_all"
        available = quantity_text(it["available"], unit)
        text = labels[form].format(wanted=wanted, name=it["name"], store=it["store"], available=available)
        if not it["other"]:
            return str(text)
        far = "" if it["other_metres"] is None else labels["far"].format(distance=self._distance(it["other_metres"]))
        elsewhere = quantity_text(it["other_available"], unit)
        return f"{text} {labels['elsewhere'].format(store=it['other'], available=elsewhere, far=far)}"

    def _distance(self, metres: int) -> str:
        """A distance in the unit of the locale's roads."""
        in_miles = self._locale.territory in MILES_ON_ROADS
        number, unit = (metres / METRES_PER_MILE, "mile") if in_miles else (metres / 1000, "kilometer")
        rounded = round(number) if number >= DECIMALS_BELOW else round(number, 1)
        return format_unit(rounded, f"length-{unit}", "short", locale=self._locale).translate(PLAIN_SPACES)

    def _ways(self, phone: str) -> str:
        """How to reach the shop, as the end of a sentence."""
        labels, ways = self._labels, []
        if self._brand.reply_to:
            ways.append(labels["way_write"].format(address=self._brand.reply_to))
        if phone:
            ways.append(labels["way_call"].format(phone=phone))
        return str(labels["or"]).join(ways) or str(labels["way_shop"])


def _units(quantity: int, unit: str) -> str:
    return f"{quantity} ×" if unit == EACH else quantity_text(quantity, unit)


def in_locale(minor: int, currency: str, locale: Locale) -> str:
    """An amount in minor units as a locale writes it, for example ``$12.40`` or ``12,40 €``."""
    if not currency:
        return plain_amount(minor, currency)
    # ISO 4217's places: CLDR has those in daily use, for example none for IQD.
    places = exponent(currency.upper())
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    value = Decimal(minor).scaleb(-places)
    shown = str(pattern.apply(value, locale, currency=currency.upper(), currency_digits=False))
    return _UNSPACED.sub("\xa0", shown)


def locale_of(customer_language: str, language: str, labels: Mapping[str, Any], country: str = "") -> Locale:
    """The locale of dates and amounts: the customer's, if it is a region of the templates' language; else that of the
    language in the store's country, if there is one; else the one in the labels."""
    base = language.split("-")[0]
    customers = _locale(customer_language)
    if customers is not None and customers.language == base and customers.territory is not None:
        return customers
    at_store = _locale(f"{base}-{country}") if country else None
    return at_store or _locale(str(labels.get("locale", ""))) or _locale(language) or Locale.parse("en")


def _locale(tag: str) -> Locale | None:
    """The locale of a language tag (BCP 47); None if CLDR has none."""
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None
