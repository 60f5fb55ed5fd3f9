"""Pages: one table entry per page or part of a page, behind the same gate as the API."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from msgspec import Struct
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bopis.access.roles import Principal, Right
from bopis.domain.payments.money import plain_amount
from bopis.errors import BopisError
from bopis.web.access.sessions import CSRF_FIELD
from bopis.web.answers import note_age
from bopis.web.endpoint import Call, Endpoint, NoParameters, check_text, decode_params
from bopis.web.live.read_side import PASSING, read_side_away
from bopis.web.problems import TITLES, Problem, problem_of
from bopis.web.rate_limits import address_of
from bopis.web.site import Site

log = structlog.get_logger("bopis.web.pages")
TEMPLATES = Path(__file__).parent / "templates"
FORM_BYTES_MAX = 64 << 10
FORM_FIELDS_MAX = 200
SIGN_IN = "/sign-in"
# Changes with each release, so that browsers do not keep old styles and scripts.
STATIC_VERSION = "1"


class NavigationEntry(Struct, frozen=True):
    """A page in the navigation, and the right that it needs."""

    path: str
    name: str
    right: Right


NAVIGATION = (
    NavigationEntry("/", "Now", Right.PAGES_HQ),
    NavigationEntry("/orders", "Orders", Right.PAGES_HQ),
    NavigationEntry("/inventory", "Inventory", Right.PAGES_HQ),
    NavigationEntry("/stores", "Stores", Right.PAGES_HQ),
    NavigationEntry("/routing", "Routing", Right.PAGES_HQ),
    NavigationEntry("/operations", "Operations", Right.OPERATIONS_READ),
    NavigationEntry("/counter", "Counter", Right.PAGES_COUNTER),
)
Show = Callable[["PageCall"], Awaitable[Response]]


class Page(Struct, frozen=True, kw_only=True):
    """One page, part of a page, or change from a form. `right` None: open to everybody. `params` None: other parameters
    than ours may come along, and the page reads those that it knows itself."""

    path: str
    show: Show
    right: Right | None
    method: str = "GET"
    params: type[Struct] | None = NoParameters
    store: str = ""


class PageCall(Call):
    """One request of a browser that was let in. `form` has the fields of a change."""

    __slots__ = ("form", "renderer")

    def __init__(
        self, site: Site, request: Request, principal: Principal | None, params: Any, renderer: "Renderer"
    ) -> None:
        super().__init__(site, request, principal, params, None)
        self.renderer = renderer
        self.form: FormData = FormData()

    def page(self, template: str, status_code: int = 200, /, **values: Any) -> HTMLResponse:
        """A template with the values that every page has. The header names the age of the memory behind them."""
        note_age(self)
        return HTMLResponse(self.renderer.text(self, template, values), status_code, headers=dict(self.headers))

    def field(self, name: str, default: str = "") -> str:
        """A text field of the form."""
        value = self.form.get(name, default)
        return value.replace("\0", "").strip() if isinstance(value, str) else default


class Renderer:
    """Renders templates; what comes from outside is escaped."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "words": lambda text: str(text).replace("_", " "),
            "money": lambda amount, currency: plain_amount(amount, currency) if amount is not None else "",
            "iso": lambda at: at.isoformat() if isinstance(at, datetime) else "",
            "path": lambda text: quote(str(text), safe=""),
        }

    def text(self, call: PageCall, template: str, values: Mapping[str, Any]) -> str:
        """A rendered template."""
        principal = call.principal
        session = self._site.gate.sessions.of(call.request)
        shared = {
            "caller": principal,
            "csrf": self._site.gate.sessions.csrf_token(session) if session is not None else "",
            "here": call.request.url.path,
            "navigation": [it for it in NAVIGATION if principal is not None and principal.may(it.right)],
            "version": STATIC_VERSION,
            "failure": self._site.failure,
            "age_s": f"{self._site.age_ms / 1000:.1f}",
            "may": principal.may if principal is not None else lambda _right: False,
            "Right": Right,
        }
        return self._templates.get_template(template).render(**shared | dict(values))


def page_route(site: Site, renderer: Renderer, page: Page) -> Route:
    """The route of one page."""

    async def serve(request: Request) -> Response:
        call = PageCall(site, request, None, None, renderer)
        try:
            if (away := await _enter(site, page, request, call)) is not None:
                return away
            return await page.show(call)
        except Problem as problem:
            return problem_page(call, problem)
        except BopisError as error:
            return problem_page(call, problem_of(error))
        except PASSING as error:
            log.warning("read_side_away", path=request.url.path, cause=str(error))
            return problem_page(call, read_side_away())

    return Route(page.path, serve, methods=[page.method])


async def _enter(site: Site, page: Page, request: Request, call: PageCall) -> Response | None:
    """Let a request in. Returns the way to the sign-in for a browser that is not signed in."""
    call.principal = principal = await site.gate.caller(request)
    site.limits.take(principal.source if principal is not None else address_of(request))
    check_text(request)
    if page.right is not None:
        if principal is None:
            return RedirectResponse(f"{SIGN_IN}?to={quote(request.url.path)}", 303)
        if not principal.may(page.right):
            raise Problem(403, "right-missing", f"This needs the right {page.right.value}.")
    if page.method != "GET":
        call.form = await _form(request)
        token = call.form.get(CSRF_FIELD, "")
        site.gate.check_forgery(request, principal, token if isinstance(token, str) else "")
    if page.params is not None:
        shape = Endpoint(
            method=page.method, path=page.path, handle=_unused, right=page.right, summary="", tag="",
            params=page.params,
        )  # fmt: skip
        call.params = decode_params(shape, request)
    if page.store and principal is not None and not principal.may_in(getattr(call.params, page.store)):
        raise Problem(403, "other-store", "This access does not reach that store.")
    return None


async def _unused(_call: Call) -> None:
    raise AssertionError("a page is shown, not handled")


async def _form(request: Request) -> FormData:
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > FORM_BYTES_MAX:
        raise Problem(413, "body-too-large", f"A form has at most {FORM_BYTES_MAX} bytes.")
    return await request.form(max_files=0, max_fields=FORM_FIELDS_MAX)


def problem_page(call: PageCall, problem: Problem) -> Response:
    """A problem as a page, or as a part of one for htmx."""
    title = TITLES.get(problem.status, TITLES[500])
    return call.page("problem.html", problem.status, title=title, detail=problem.detail, status=problem.status)


def as_json(value: Any) -> str:
    """A value for a script to read from a data attribute."""
    return msgspec.json.encode(value).decode()
