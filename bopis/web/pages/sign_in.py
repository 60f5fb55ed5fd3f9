"""Signing in and out: by a one-time link, or as an associate with a PIN."""

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from bopis.access.associates import is_pin_of
from bopis.access.roles import Role
from bopis.access.session import new_session
from bopis.web.access.sessions import PinTries
from bopis.web.pages.page import SIGN_IN, Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import real_now_ms

PIN_TRIES = PinTries()
COUNTER = "/counter"


class SignInQuery(Struct, frozen=True, kw_only=True):
    """`to` is the page to go on to."""

    to: str = "/"
    store: str = ""


class LinkQuery(Struct, frozen=True, kw_only=True):
    """The token of a one-time link."""

    token: str


async def show(call: PageCall) -> Response:
    """The page to sign in."""
    return call.page(
        "sign-in.html", problem="", store=call.params.store, has_provider=bool(call.site.settings.web_oidc_client)
    )


async def open_link(call: PageCall) -> Response:
    """Sign in with a one-time link."""
    session = call.site.gate.sessions.links.opened(call.params.token)
    is_new = session is not None and await call.site.in_thread(call.site.access.use_link, session.id, real_now_ms())
    if session is None or not is_new:
        raise Problem(401, "link-used", "This link was used, or is too old. `bopis web sign-in` makes a new one.")
    response = RedirectResponse(home_of(session.role), 303)
    call.site.gate.sessions.begin(response, session)
    return response


async def sign_in_associate(call: PageCall) -> Response:
    """Sign in with store, name and PIN."""
    store, name, pin = call.field("store"), call.field("name"), call.field("pin")
    if PIN_TRIES.is_locked(store, name):
        raise Problem(429, "pin-locked", "Too many wrong PINs; wait five minutes.", retry_after_s=PinTries.LOCK_S)
    record = await call.site.in_thread(call.site.access.associate, store, name)
    is_right = await call.site.in_thread(is_pin_of, record, pin)
    PIN_TRIES.note(store, name, is_right=is_right, is_known=record is not None)
    if record is None or not is_right:
        # One text for an unknown name and a wrong PIN: it does not tell who works here.
        return call.page(
            "sign-in.html", 401, problem="Store, name or PIN is wrong.", store=store,
            has_provider=bool(call.site.settings.web_oidc_client),
        )  # fmt: skip
    session = new_session(record.name, record.role, (record.store,))
    response = RedirectResponse(home_of(record.role), 303)
    call.site.gate.sessions.begin(response, session)
    return response


async def sign_out(call: PageCall) -> Response:
    """Sign out."""
    response = RedirectResponse(SIGN_IN, 303)
    call.site.gate.sessions.end(response)
    return response


def home_of(role: Role) -> str:
    """The first page of a role."""
    return COUNTER if role in (Role.STORE_ASSOCIATE, Role.STORE_MANAGER) else "/"


PAGES = (
    Page(path=SIGN_IN, show=show, right=None, params=SignInQuery),
    Page(path="/sign-in/link", show=open_link, right=None, params=LinkQuery),
    Page(path="/sign-in/associate", show=sign_in_associate, right=None, method="POST"),
    Page(path="/sign-out", show=sign_out, right=None, method="POST"),
)
