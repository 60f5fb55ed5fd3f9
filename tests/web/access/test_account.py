"""Signing in with an account: the pages and the gate as they are, against a provider that is a real HTTP server."""

import asyncio
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from bopis.settings import Settings, SettingsError
from bopis.web.access.account import BEGIN_PATH, CALLBACK_PATH, COOKIE, FLOW_S_MAX, safe_target
from bopis.web.access.provider import PAUSE_S, Provider
from bopis.web.access.sessions import COOKIE as SESSION_COOKIE
from bopis.web.problems import Problem
from tests.web.access.account_site import ADDRESS, Asked, Installation, at_provider, changed, problem
from tests.web.access.identity_provider import CLIENT, EC, RSA, STRANGER, IdentityProvider, challenge_of


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.close()


@pytest.fixture
def provider(running: IdentityProvider) -> IdentityProvider:
    running.reset()
    return running


@pytest.fixture(scope="module")
def installed(running: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("home"), running.issuer)


@pytest.fixture
def shop(installed: Installation, provider: IdentityProvider) -> Installation:
    """The installation, and its provider with nothing broken."""
    installed.forget_provider()
    return installed


@pytest.mark.parametrize("method", [None, ("client_secret_post",), ("client_secret_basic",)])
@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("ES256", EC)])
def test_an_account_signs_in(
    shop: Installation, provider: IdentityProvider, algorithm: str, key: Any, method: tuple[str, ...] | None
) -> None:
    provider.algorithm, provider.signing = algorithm, key
    provider.document_changes = {"token_endpoint_auth_methods_supported": method}

    answer, page = shop.signed_in()

    assert (answer.status_code, answer.headers["referrer-policy"]) == (200, "no-referrer")
    assert "anna@example.org" in page.text
    cookies = SimpleCookie("; ".join(answer.headers.get_list("set-cookie")))
    assert (cookies[SESSION_COOKIE]["samesite"], cookies[SESSION_COOKIE]["httponly"]) == ("strict", True)
    assert (cookies[COOKIE]["path"], cookies[COOKIE]["max-age"]) == (BEGIN_PATH, "0")


def test_the_cookie_of_a_flow_is_lax_short_and_for_its_path_only(shop: Installation) -> None:
    begun = shop.visit(lambda browser: browser.get(BEGIN_PATH))

    cookie = SimpleCookie(begun.headers["set-cookie"])[COOKIE]

    assert (cookie["samesite"], cookie["httponly"], cookie["path"]) == ("lax", True, BEGIN_PATH)
    assert int(cookie["max-age"]) == FLOW_S_MAX
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["redirect_uri"] == [f"{ADDRESS}{CALLBACK_PATH}"]
    # Neither the verifier nor the nonce can be read in the cookie, and no two of the three are equal.
    assert len({query["state"][0], query["nonce"][0], query["code_challenge"][0]}) == 3
    assert not any(query[it][0] in cookie.value for it in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("person", "role", "home"),
    [
        ({"bopis_role": "hq-viewer"}, 'href="/orders"', "/"),
        ({"bopis_role": "store-associate", "bopis_stores": ["319"]}, 'href="/counter"', "/counter"),
    ],
)
def test_role_and_stores_come_from_the_claims(
    shop: Installation, provider: IdentityProvider, person: dict[str, Any], role: str, home: str
) -> None:
    provider.person |= person

    answer, page = shop.signed_in()

    assert f'content="0; url={home}"' in answer.text
    assert role in page.text


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({"bopis_role": "root"}, "has no role here"), ({"bopis_role": ["hq-operator"]}, "has no role here"),
        ({"bopis_role": ""}, "has no role here"), ({"bopis_role": "customer"}, "has no role here"),
        ({"bopis_role": "till", "bopis_stores": ["319"]}, "has no role here"),
        ({"bopis_role": "store-manager"}, "of no store"),
        ({"bopis_role": "store-manager", "bopis_stores": "319"}, "has no role here"),
    ],
    ids=str,
)  # fmt: skip
def test_an_account_without_a_role_or_store_is_told_whom_to_ask(
    shop: Installation, provider: IdentityProvider, person: dict[str, Any], words: str
) -> None:
    provider.person |= person

    answer, page = shop.signed_in()

    assert answer.status_code == 403
    assert words in problem(answer)
    assert "anna@example.org" not in page.text


@pytest.mark.parametrize(
    ("target", "reached"),
    [("/orders", "/orders"), ("/stores/319?tab=policy", "/stores/319?tab=policy"), ("//evil.example", "/"),
     ("https://evil.example/", "/"), ("/\\evil.example", "/"), ("/\t/evil.example", "/"), ("javascript:alert(1)", "/"),
     ("/sign-in/link?token=x", "/"), ("/sign-out", "/"), ("", "/"), ("/" + "a" * 2_000, "/")],
)  # fmt: skip
def test_it_goes_on_to_pages_of_ours_only(shop: Installation, target: str, reached: str) -> None:
    async def steps(browser: httpx.AsyncClient) -> Asked:
        return await browser.get(await at_provider(browser, target))

    assert f'content="0; url={reached}"' in shop.visit(steps).text


@limits(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.text("/\\\t\n:@.?#evil", max_size=12))
@example("/%09/evil.example")
def test_no_target_leads_to_another_host(text: str) -> None:
    found = httpx.URL(f"{ADDRESS}/sign-in/provider/callback").join(safe_target(text))

    # As browsers read it: a backslash is a slash, tabs and line ends are passed over.
    read = "".join(it for it in safe_target(text).replace("\\", "/") if it not in "\t\r\n")
    assert (found.scheme, found.host, found.port) == ("http", "127.0.0.1", 9)
    assert read.startswith("/")
    assert not read.startswith("//")


def test_an_answer_in_another_browser_signs_nobody_in(shop: Installation) -> None:
    async def begun(browser: httpx.AsyncClient) -> str:
        return await at_provider(browser)

    of_attacker = shop.visit(begun)
    without_flow = shop.visit(lambda browser: browser.get(of_attacker))

    async def with_own_flow(browser: httpx.AsyncClient) -> tuple[Asked, Asked]:
        own = await at_provider(browser)
        return await browser.get(of_attacker), await browser.get(own)

    forged, own = shop.visit(with_own_flow)

    for answer in (without_flow, forged):
        assert answer.status_code == 401
        assert "was not begun in this browser" in problem(answer)
    # The attempt does not end the victim's own sign-in.
    assert SESSION_COOKIE in own.cookies


def test_a_code_of_another_flow_is_refused_by_verifier_and_nonce(
    shop: Installation, provider: IdentityProvider
) -> None:
    async def other_code(browser: httpx.AsyncClient) -> str:
        return parse_qs(urlsplit(await at_provider(browser)).query)["code"][0]

    async def injected(browser: httpx.AsyncClient) -> Asked:
        return await browser.get(changed(await at_provider(browser), code=code))

    code = shop.visit(other_code)
    by_verifier = shop.visit(injected)
    # A provider that does not check the verifier: the nonce of the token is that of the other flow.
    code = shop.visit(other_code)
    exchange = provider.exchange
    provider.exchange = lambda form, authorization: exchange(  # type: ignore[method-assign]
        form | {"code_verifier": "none"}, authorization
    )
    provider.codes[code]["code_challenge"] = challenge_of("none")
    by_nonce = shop.visit(injected)
    del provider.exchange

    assert "does not accept this sign-in any more" in problem(by_verifier)
    assert "another sign-in" in problem(by_nonce)


def test_an_answer_counts_once(shop: Installation) -> None:
    async def twice(browser: httpx.AsyncClient) -> tuple[Asked, Asked]:
        address = await at_provider(browser)
        first = await browser.get(address)
        browser.cookies.delete(SESSION_COOKIE)
        return first, await browser.get(address)

    first, second = shop.visit(twice)

    assert (SESSION_COOKIE in first.cookies, SESSION_COOKIE in second.cookies) == (True, False)
    assert second.status_code == 401


def test_a_flow_ends_after_ten_minutes(shop: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(browser: httpx.AsyncClient) -> Asked:
        address = await at_provider(browser)
        monkeypatch.setattr("bopis.web.access.account.FLOW_S_MAX", -1)
        return await browser.get(address)

    answer = shop.visit(late)

    assert answer.status_code == 401
    assert "is too old" in problem(answer)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"error": "access_denied", "code": None}, 401, "did not let you in"),
        ({"error": "temporarily_unavailable", "code": None}, 503, "at the moment"),
        ({"error": "<script>", "code": None}, 401, "refused the sign-in"),
        ({"code": None}, 401, "sent no code"),
        ({"code": "made up"}, 401, "does not accept this sign-in any more"),
        ({"iss": "https://other.example"}, 401, "another identity provider"),
        ({"state": None}, 401, "was not begun in this browser"),
    ],
    ids=str,
)  # fmt: skip
def test_every_other_answer_has_a_clear_page(
    shop: Installation, provider: IdentityProvider, changes: dict[str, str | None], status: int, words: str
) -> None:
    provider.answer_changes = changes

    answer, _ = shop.signed_in()

    assert (answer.status_code, "<script>" in answer.text) == (status, False)
    assert words in problem(answer)
    assert f"{BEGIN_PATH}?to=/" in answer.text


def test_a_provider_that_names_its_issuer_has_to_do_so_every_time(
    shop: Installation, provider: IdentityProvider
) -> None:
    provider.document_changes = {"authorization_response_iss_parameter_supported": True}
    without, _ = shop.signed_in()
    provider.answer_changes = {"iss": provider.issuer}
    named, _ = shop.signed_in()

    assert "another identity provider" in problem(without)
    assert SESSION_COOKIE in named.cookies


def test_a_parameter_that_is_there_twice_is_none(shop: Installation) -> None:
    async def steps(browser: httpx.AsyncClient) -> Asked:
        return await browser.get(await at_provider(browser) + "&code=another")

    assert "sent no code" in problem(shop.visit(steps))


CLAIM_CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another audience": lambda it: it | {"aud": "bopis"},
    "no audience": lambda it: {name: value for name, value in it.items() if name != "aud"},
    "another issuer": lambda it: it | {"iss": "https://other.example"},
    "expired": lambda it: it | {"exp": it["iat"] - 3_600},
    "not yet valid": lambda it: it | {"nbf": it["iat"] + 3_600},
    "another nonce": lambda it: it | {"nonce": "x" * 43},
    "a nonce of another type": lambda it: it | {"nonce": ["x"]},
    "no nonce": lambda it: {name: value for name, value in it.items() if name != "nonce"},
    "no subject": lambda it: {name: value for name, value in it.items() if name != "sub"},
    "several audiences, none authorised": lambda it: it | {"aud": [CLIENT, "another"]},
    "several audiences, another authorised": lambda it: it | {"aud": [CLIENT, "another"], "azp": "another"},
    "another authorised": lambda it: it | {"azp": "another"},
}


@pytest.mark.parametrize("change", CLAIM_CHANGES.values(), ids=CLAIM_CHANGES)
def test_a_token_for_something_else_signs_nobody_in(
    shop: Installation, provider: IdentityProvider, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    provider.claims_changed = change

    answer, _ = shop.signed_in()

    assert answer.status_code == 401
    assert "token is" in problem(answer)


def test_several_audiences_are_fine_where_this_client_is_the_authorised_one(
    shop: Installation, provider: IdentityProvider
) -> None:
    provider.claims_changed = lambda it: it | {"aud": [CLIENT, "another"], "azp": CLIENT}

    assert SESSION_COOKIE in shop.signed_in()[0].cookies


def _unsigned(token: str) -> str:
    _, content, _ = token.split(".")
    return f"eyJhbGciOiJub25lIn0.{content}."


TOKEN_CHANGES: dict[str, Callable[[str], str]] = {
    "no algorithm": _unsigned,
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "cut": lambda token: token[:-8],
    "no token": lambda _: "",
    "other letters": lambda _: "é.é.é",
    "another content": lambda token: ".".join([token.split(".")[0], "e30", token.split(".")[2]]),
}


@pytest.mark.parametrize("change", TOKEN_CHANGES.values(), ids=TOKEN_CHANGES)
def test_a_token_that_was_changed_signs_nobody_in(
    shop: Installation, provider: IdentityProvider, change: Callable[[str], str]
) -> None:
    provider.token_changed = change

    assert "not valid" in problem(shop.signed_in()[0])


@pytest.mark.parametrize("kid", ["stranger", "rsa", "ec"])
def test_a_token_of_another_key_signs_nobody_in(shop: Installation, provider: IdentityProvider, kid: str) -> None:
    provider.signing = RSAKey.import_key(STRANGER.as_dict(private=True) | {"kid": kid})

    assert "not valid" in problem(shop.signed_in()[0])


def test_a_new_key_of_the_provider_signs_in_when_it_is_published(
    shop: Installation, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bopis.web.access.tokens.REFETCH_S_MIN", 0)
    first, _ = shop.signed_in()
    fresh = RSAKey.generate_key(2048, {"kid": "fresh"})
    provider.signing = fresh
    unpublished, _ = shop.signed_in()
    provider.keys = [fresh]
    rotated, _ = shop.signed_in()

    assert [SESSION_COOKIE in it.cookies for it in (first, unpublished, rotated)] == [True, False, True]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"web_oidc_issuer": "http://127.0.0.1:1"}, "does not answer"),
        ({"web_oidc_secret": "wrong"}, "check web_oidc_client and web_oidc_secret"),
    ],
    ids=["away", "secret"],
)
def test_a_provider_that_is_away_or_refuses_the_client_has_a_clear_page(
    provider: IdentityProvider, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    shop = Installation(tmp_path, provider.issuer, **settings)

    async def steps(browser: httpx.AsyncClient) -> Asked:
        begun = await browser.get(BEGIN_PATH)
        return begun if begun.status_code != 303 else await browser.get(await at_provider(browser))

    answer = shop.visit(steps)

    assert answer.status_code == 503
    assert words in problem(answer)


def test_a_provider_that_fails_at_the_end_has_a_clear_page(shop: Installation, provider: IdentityProvider) -> None:
    provider.token_status = 500

    answer, _ = shop.signed_in()

    assert answer.status_code == 503
    assert "does not answer" in problem(answer)


def test_without_a_client_there_is_no_sign_in_with_accounts(provider: IdentityProvider, tmp_path: Path) -> None:
    shop = Installation(tmp_path, provider.issuer, web_oidc_client="")

    for path in (BEGIN_PATH, CALLBACK_PATH):
        assert shop.visit(lambda browser, path=path: browser.get(path)).status_code == 404
    assert BEGIN_PATH not in shop.visit(lambda browser: browser.get("/sign-in")).text
    with pytest.raises(SettingsError):
        Settings(web_oidc_client="x")


def test_signing_out_ends_the_session_here_and_offers_the_end_there(
    shop: Installation, provider: IdentityProvider
) -> None:
    async def steps(browser: httpx.AsyncClient) -> tuple[Asked, Asked]:
        await browser.get(await at_provider(browser))
        page = (await browser.get("/sign-in")).text
        token = page.partition('name="csrf" content="')[2].partition('"')[0]
        assert (await browser.post("/sign-out", data={"csrf": "0" * 32})).status_code == 403
        return await browser.post("/sign-out", data={"csrf": token}), await browser.get("/sign-in")

    out, page = shop.visit(steps)

    assert (out.status_code, "anna@example.org" in out.text) == (200, False)
    assert f"{provider.issuer}/end?client_id=counter" in out.text
    assert "anna@example.org" not in page.text
    provider.document_changes = {"end_session_endpoint": None}
    shop.forget_provider()
    assert shop.visit(steps)[0].status_code == 303


def test_a_provider_that_is_away_is_not_asked_again_by_everybody_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    asked = []

    async def away(method: str, url: str, **_: Any) -> httpx.Response:
        asked.append(url)
        await asyncio.sleep(0)
        return httpx.Response(502)

    monkeypatch.setattr("bopis.web.access.provider._send", away)
    provider = Provider("https://login.example", lambda: now)

    async def crowd() -> list[Any]:
        return await asyncio.gather(*(provider.document() for _ in range(20)), return_exceptions=True)

    first = asyncio.run(crowd())
    now += PAUSE_S
    asyncio.run(crowd())

    assert {(it.status, it.code) for it in first} == {(503, "identity-provider-away")}
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 404), (None, 404)]
)
def test_no_other_site_signs_a_browser_in_with_a_pin(installed: Installation, site: str | None, status: int) -> None:
    class Access:
        def associate(self, store: str, name: str) -> None:
            raise Problem(404, "reached")

    access: Any = Access()
    installed.site.access = access
    headers = {"Sec-Fetch-Site": site} if site else {}
    form = {"store": "319", "name": "Anna", "pin": "4711"}

    answer = installed.visit(lambda browser: browser.post("/sign-in/associate", data=form, headers=headers))

    assert answer.status_code == status


latin = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80)


@limits(max_examples=150, deadline=None)
@given(state=latin, code=latin, cookie=latin.filter(lambda it: ";" not in it))
@example(state="", code="", cookie="")
def test_made_up_states_codes_and_cookies_sign_nobody_in(
    installed: Installation, state: str, code: str, cookie: str
) -> None:
    async def steps(browser: httpx.AsyncClient) -> Asked:
        query = urlencode({"state": state, "code": code})
        return await browser.get(f"{CALLBACK_PATH}?{query}", headers={"Cookie": f"{COOKIE}={cookie}"})

    answer = installed.visit(steps)

    assert answer.status_code == 401
    assert SESSION_COOKIE not in answer.cookies
