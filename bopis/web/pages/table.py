"""The table of all pages."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from bopis.web.pages import counter, customer, sign_in
from bopis.web.pages.page import Page, Renderer, page_route
from bopis.web.shop import shop_routes
from bopis.web.site import Site

STATIC = Path(__file__).parents[1] / "static"
PAGES: tuple[Page, ...] = (*sign_in.PAGES, *counter.PAGES, *customer.PAGES)


def page_routes(site: Site) -> list[BaseRoute]:
    """The routes of all pages, and of their styles and scripts."""
    renderer = Renderer(site)
    routes: list[BaseRoute] = [page_route(site, renderer, page) for page in PAGES]
    return [*routes, *shop_routes(site), Mount("/static", StaticFiles(directory=STATIC), name="static")]
