"""Signing in and out: by a one-time link, with an account of the identity provider, or as an associate with a PIN."""

from urllib.parse import quote

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from bopis.access.associates import is_pin_of
from bopis.access.roles import Role
from bopis.access.session import new_session
from bopis.web.access.account import BEGIN_PATH, CALLBACK_PATH, AccountSignIn, AuthorizationAnswer, safe_target
from bopis.web.access.sessions import PinTries
from bopis.web.pages.page import SIGN_IN, Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import real_now_ms

PIN_TRIES = PinTries()
COUNTER = "/counter"
# What browsers say of a request that a page of ours, or the person, began; other programs say nothing.
OWN_SITE = "same-origin"
OWN_SITES = frozenset({OWN_SITE, "none"})
NO_REFERRER = {"Referrer-Policy": "no-referrer"}


class SignInQuery(Struct, frozen=True, kw_only=True):
    """`to` is the page to go on to."""

    to: str = "/"
    store: str = ""


class AccountQuery(Struct, frozen=True, kw_only=True):
    """The page to go on to."""

    to: str = "/"


class LinkQuery(Struct, frozen=True, kw_only=True):
    """The token of a one-time link."""

    token: str


async def show(call: PageCall) -> Response:
    """The page to sign in."""
    return sign_in_page(call, store=call.params.store, to=call.params.to)


def sign_in_page(call: PageCall, status: int = 200, *, problem: str = "", store: str = "", to: str = "/") -> Response:
    """The page to sign in, with a problem of the try before."""
    target = safe_target(to)
    # At the address that the provider knows: cookies of a flow belong to one host.
    address = f"{call.site.url}{BEGIN_PATH}?to={quote(target)}" if call.site.account is not None else ""
    return call.page("sign-in.html", status, problem=problem, store=store, to=target, account_address=address)


async def open_link(call: PageCall) -> Response:
    """Sign in with a one-time link."""
    _refuse_other_sites(call, "Copy the link into the address line of the browser: another site may not open it.")
    session = call.site.gate.sessions.links.opened(call.params.token)
    is_new = session is not None and await call.site.in_thread(call.site.access.use_link, session.id, real_now_ms())
    if session is None or not is_new:
        raise Problem(401, "link-used", "This link was used, or is too old. `bopis web sign-in` makes a new one.")
    response = RedirectResponse(home_of(session.role), 303)
    call.site.gate.sessions.begin(response, session)
    return response


async def begin_account(call: PageCall) -> Response:
    """Send the browser to the identity provider."""
    account = _account(call)
    try:
        flow, address = await account.begin(call.site.url, call.params.to)
    except Problem as problem:
        return sign_in_page(call, problem.status, problem=problem.detail, to=call.params.to)
    response = RedirectResponse(address, 303)
    account.remember(response, flow)
    return response


async def finish_account(call: PageCall) -> Response:
    """Sign in with the provider's answer.

    The answer is a page that goes on by itself, and no redirect: one would still belong to the navigation that the
    provider began, and the browser would leave out the strict cookie of the new session.
    """
    account = _account(call)
    flow = account.flow_of(call.request)
    answer = authorization_answer(call)
    try:
        session = await account.finish(flow, answer, call.site.url)
    except Problem as problem:
        response = sign_in_page(call, problem.status, problem=problem.detail, to=flow.to if flow is not None else "/")
    else:
        assert flow is not None
        to = home_of(session.role) if flow.to == "/" else flow.to
        response = call.page("signed-in.html", to=to, name=session.name)
        call.site.gate.sessions.begin(response, session)
    # An answer to another flow ends none: else any page could end the sign-in that is under way.
    if flow is not None and answer.state == account.state(flow):
        account.forget(response)
    response.headers.update(NO_REFERRER)  # the address has the code
    return response


def authorization_answer(call: PageCall) -> AuthorizationAnswer:
    """What the provider sent; a parameter that is there twice is none (RFC 6749, section 3.1)."""
    query = call.request.query_params
    found = {it: query.getlist(it) for it in AuthorizationAnswer.__struct_fields__}
    return AuthorizationAnswer(**{name: values[0] for name, values in found.items() if len(values) == 1})


async def sign_in_associate(call: PageCall) -> Response:
    """Sign in with store, name and PIN."""
    _refuse_other_sites(call, "Sign in on the page of this installation.")
    store, name, pin = call.field("store"), call.field("name"), call.field("pin")
    if PIN_TRIES.is_locked(store, name):
        raise Problem(429, "pin-locked", "Too many wrong PINs; wait five minutes.", retry_after_s=PinTries.LOCK_S)
    record = await call.site.in_thread(call.site.access.associate, store, name)
    is_right = await call.site.in_thread(is_pin_of, record, pin)
    PIN_TRIES.note(store, name, is_right=is_right, is_known=record is not None)
    if record is None or not is_right:
        # One text for an unknown name and a wrong PIN: it does not tell who works here.
        return sign_in_page(call, 401, problem="Store, name or PIN is wrong.", store=store, to=call.field("to"))
    session = new_session(record.name, record.role, (record.store,))
    target = safe_target(call.field("to"))
    response = RedirectResponse(home_of(record.role) if target == "/" else target, 303)
    call.site.gate.sessions.begin(response, session)
    return response


async def sign_out(call: PageCall) -> Response:
    """Sign out here; who came with an account is offered to sign out there, too."""
    sessions, account = call.site.gate.sessions, call.site.account
    session = sessions.of(call.request)
    by_provider = session is not None and session.by_provider
    address = await account.end_address() if account is not None and by_provider else ""
    # A page, since the policy of pages lets no form lead to another site, not even by a redirect.
    call.principal = None
    response = call.page("signed-out.html", address=address) if address else RedirectResponse(SIGN_IN, 303)
    sessions.end(response)
    return response


def _refuse_other_sites(call: PageCall, advice: str) -> None:
    """Refuse a sign-in that another site began: it could sign a browser in as somebody else, who then reads what is
    done there. Raises `Problem`."""
    if call.request.headers.get("sec-fetch-site", OWN_SITE) not in OWN_SITES:
        raise Problem(403, "csrf", advice)


def home_of(role: Role) -> str:
    """The first page of a role."""
    return COUNTER if role in (Role.STORE_ASSOCIATE, Role.STORE_MANAGER) else "/"


def _account(call: PageCall) -> AccountSignIn:
    if call.site.account is None:
        raise Problem(404, "provider-missing", "No identity provider is set up here. Sign in by a link or with a PIN.")
    return call.site.account


PAGES = (
    Page(path=SIGN_IN, show=show, right=None, params=SignInQuery),
    Page(path="/sign-in/link", show=open_link, right=None, params=LinkQuery),
    Page(path=BEGIN_PATH, show=begin_account, right=None, params=AccountQuery),
    Page(path=CALLBACK_PATH, show=finish_account, right=None, params=None),
    Page(path="/sign-in/associate", show=sign_in_associate, right=None, method="POST"),
    Page(path="/sign-out", show=sign_out, right=None, method="POST"),
)
