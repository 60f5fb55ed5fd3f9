"""Mail addresses and phone numbers of customers, and currencies: are they valid, and when are two of them equal."""

import re

from babel.core import get_global
from email_validator import EmailNotValidError, validate_email
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
)

# ITU-T E.164 allows 15 digits; the shortest numbers in use have 5.
PHONE_DIGITS_MIN = 5
PHONE_DIGITS_MAX = 15
# CLDR's code of zones that belong to no country, as UTC.
NO_COUNTRY = "ZZ"
_COUNTRY = re.compile(r"\b[A-Z]{2}\b")


def is_email(text: str) -> bool:
    """Whether mail servers deliver to a text as an address; see `deliverable`."""
    return deliverable(text) is not None


def deliverable(text: str) -> str | None:
    """A mail address (RFC 5321 and 5322) in ASCII, without asking its domain; None if servers do not deliver to it.

    A domain in other letters has an ASCII form (RFC 5891): anna@przykład.pl is anna@xn--przykad-rjb.pl. The part before
    the @ has none: such an address needs SMTPUTF8 (RFC 6531) at every server on the way, which few support.
    """
    try:
        return validate_email(text.strip(), check_deliverability=False, strict=True).ascii_email
    except EmailNotValidError:
        return None


def e164(number: str, country: str = "") -> str | None:
    """A phone number in the international form of ITU-T E.164, for example +12705550100.

    `country` (two letters, ISO 3166-1) is the country of numbers without a country code. None if the number cannot be
    dialled from abroad: its length is wrong for its country, or its country is unknown.
    """
    text = number.strip()
    # Customers write 00 for the plus in most countries; no national number begins with it.
    text = f"+{text[2:]}" if text.startswith("00") else text
    try:
        parsed = parse(text, country or None)
    except NumberParseException:
        return None
    if is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    return format_number(parsed, PhoneNumberFormat.E164)


def is_phone(number: str, country: str = "") -> bool:
    """Whether a text is a phone number. Without a country only its count of digits can be checked."""
    if country or number.strip().startswith(("+", "00")):
        return e164(number, country) is not None
    return PHONE_DIGITS_MIN <= sum(character.isdigit() for character in number) <= PHONE_DIGITS_MAX


def is_currency(code: str) -> bool:
    """Whether three capital letters are a currency of ISO 4217, present or past."""
    return code in get_global("all_currencies")


def store_country(holidays: str, time_zone: str) -> str:
    """The country of a store in two letters (ISO 3166-1), empty if unknown.

    From the country in its list of holidays (``US 2026-12-24``), else from its time zone by CLDR's table.
    """
    stated = _COUNTRY.search(holidays)
    if stated is not None:
        return stated.group()
    zone = get_global("zone_aliases").get(time_zone, time_zone)
    territory = get_global("zone_territories").get(zone, "")
    return territory if _COUNTRY.fullmatch(territory) and territory != NO_COUNTRY else ""
