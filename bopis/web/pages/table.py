"""The table of all pages."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from bopis.web.pages import (
    counter,
    counter_count,
    customer,
    inventory,
    inventory_cell,
    now,
    operations,
    orders,
    orders_actions,
    orders_detail,
    routing,
    sign_in,
    stores,
    stores_hours,
    stores_policy,
)
from bopis.web.pages.page import Page, Renderer, page_route
from bopis.web.shop import shop_routes
from bopis.web.site import Site

STATIC = Path(__file__).parents[1] / "static"
PAGES: tuple[Page, ...] = (
    *sign_in.PAGES,
    *now.PAGES,
    *orders.PAGES,
    *orders_detail.PAGES,
    *orders_actions.PAGES,
    *inventory.PAGES,
    *inventory_cell.PAGES,
    *stores.PAGES,
    *stores_hours.PAGES,
    *stores_policy.PAGES,
    *operations.PAGES,
    *routing.PAGES,
    *counter.PAGES,
    *counter_count.PAGES,
    *customer.PAGES,
)


def page_routes(site: Site) -> list[BaseRoute]:
    """The routes of all pages, and of their styles and scripts."""
    renderer = Renderer(site)
    routes: list[BaseRoute] = [page_route(site, renderer, page) for page in PAGES]
    return [*routes, *shop_routes(site), Mount("/static", StaticFiles(directory=STATIC), name="static")]
