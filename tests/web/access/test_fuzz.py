"""Fuzzed credentials against the real gate: nobody gets in."""

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.access.session import new_session
from bopis.web.access.gate import Gate
from bopis.web.access.sessions import COOKIE, CSRF_HEADER, Sessions
from bopis.web.problems import Problem

EXAMPLES = 1_000
KEY_TEXT, RECORD = new_key("shop", Role.HQ_OPERATOR)
SESSION = new_session("Anna", Role.HQ_OPERATOR)
SESSIONS = Sessions(b"k" * 32, is_secure=False)
latin = st.text(st.characters(codec="latin-1"), max_size=200)


class Records:
    """One key, and no associates."""

    def key(self, identity: str) -> Any:
        return RECORD if identity == RECORD.id else None

    def associate(self, store: str, name: str) -> None:
        return None


GATE = Gate(Records(), SESSIONS, None, lambda: 1)


def request(method: str = "POST", **headers: str) -> Request:
    """A request with these headers."""
    raw = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "query_string": b""})


def cookie_of(sessions: Sessions) -> str:
    """The value of the cookie of a session."""
    response = Response()
    sessions.begin(response, SESSION)
    return response.headers["set-cookie"].split(";")[0].partition("=")[2].strip('"')


COOKIE_TEXT = cookie_of(SESSIONS)


def caller(asked: Request) -> Any:
    """Who got in; None for nobody."""
    try:
        return asyncio.run(GATE.caller(asked))
    except Problem as problem:
        if problem.status != 401:
            raise
        return None


def spoilt(text: str) -> st.SearchStrategy[str]:
    """Texts near a valid one, without the valid one."""
    places = st.integers(0, len(text) - 1)
    letters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=")
    changed = st.tuples(places, letters).map(lambda it: text[: it[0]] + it[1] + text[it[0] + 1 :])
    cut = places.map(lambda it: text[:it])
    longer = st.tuples(st.just(text), latin).map("".join)
    return st.one_of(changed, cut, longer).filter(lambda it: it.strip() != text)


def test_the_valid_ones_get_in() -> None:
    assert caller(request(authorization=f"Bearer {KEY_TEXT}")).name == "shop"
    assert caller(request(cookie=f"{COOKIE}={COOKIE_TEXT}")).name == "Anna"


@settings(max_examples=EXAMPLES, deadline=None)
@given(spoilt(KEY_TEXT) | latin)
@example(f"bopis_{RECORD.id}_{RECORD.hashed}")
def test_no_other_key_gets_in(credential: str) -> None:
    assert caller(request(authorization=f"Bearer {credential}")) is None


@settings(max_examples=EXAMPLES, deadline=None)
@given(latin)
def test_no_other_scheme_gets_in(header: str) -> None:
    assert caller(request(authorization=header)) is None


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


SIGNATURE = decoded(COOKIE_TEXT.rsplit(".", 1)[1])


def is_same(cookie: str) -> bool:
    """Whether a text differs from the valid one only in bits that base64 ignores, or in what cookies are trimmed of."""
    content, _, signature = cookie.strip(' "').rpartition(".")
    try:
        return content == COOKIE_TEXT.rpartition(".")[0] and decoded(signature) == SIGNATURE
    except ValueError:
        return False


@settings(max_examples=EXAMPLES, deadline=None)
@given((spoilt(COOKIE_TEXT) | latin).filter(lambda it: ";" not in it and not is_same(it)))
@example(cookie_of(Sessions(b"other key" * 4, is_secure=False)))
@example(SESSIONS.links.token("Anna", Role.HQ_OPERATOR))
def test_no_other_cookie_gets_in(cookie: str) -> None:
    assert caller(request(cookie=f"{COOKIE}={cookie}")) is None


@settings(max_examples=EXAMPLES, deadline=None)
@given(spoilt(SESSIONS.csrf_token(SESSION)) | latin)
@example(SESSIONS.csrf_token(new_session("Anna", Role.HQ_OPERATOR)))
@example("")
def test_no_other_token_makes_a_change_from_a_browser(token: str) -> None:
    asked = request(cookie=f"{COOKIE}={COOKIE_TEXT}", **{CSRF_HEADER: token})

    if token == SESSIONS.csrf_token(SESSION):
        return
    with pytest.raises(Problem) as caught:
        GATE.check_forgery(asked, SESSION.principal())
    assert caught.value.code == "csrf"


@settings(max_examples=EXAMPLES, deadline=None)
@given(spoilt(COOKIE_TEXT) | latin)
@example(COOKIE_TEXT)
def test_no_other_token_opens_a_link(token: str) -> None:
    assert SESSIONS.links.opened(token) is None
