"""Every page in a browser: it shows what it is for, fits its width, and has no serious finding of axe-core."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bopis.access.roles import Role
from tests.web.access.identity_provider import IdentityProvider
from tests.web.browser.conftest import PATIENCE_MS, Visitor, Visits, offline
from tests.web.pages.test_exports import as_csv, read, read_csv
from tests.web.shop import OTHER, OWN, SKUS, Shop, new_name

SERIOUS = {"serious", "critical"}
HQ_PAGES = {
    "/": "Now",
    "/orders": "Orders",
    "/inventory": "Inventory",
    "/stores": "Stores",
    f"/stores/{OWN}": "Main Street",
    f"/stores/{OWN}/hours": "Usual hours",
    "/operations": "Operations",
    "/routing": "Routing",
}
# The colours, and the widths of window that a page is looked at in.
LOOKS = [(False, (1_440, 390)), (True, (820,))]


def findings(visitor: Visitor) -> list[str]:
    """Serious findings of axe-core on the page that is shown."""
    found = Axe().run(visitor.page).response["violations"]
    return [f"{it['id']}: {it['help']}" for it in found if it["impact"] in SERIOUS]


def overflow(visitor: Visitor) -> int:
    """Pixels by which the page is wider than its window."""
    return int(visitor.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("dark", "widths"), LOOKS, ids=["light", "dark"])
def test_the_pages_of_headquarters_can_be_read_at_every_width(
    visit: Visits, shop: Shop, dark: bool, widths: tuple[int, ...]
) -> None:
    number = shop.promised()
    visitor = visit(widths[0], dark=dark)
    visitor.sign_in(Role.HQ_OPERATOR)

    problems = []
    for path, heading in (HQ_PAGES | {f"/orders/{number}": number[:4]}).items():
        visitor.open(path)
        assert heading in visitor.page.inner_text("main"), path
        for width in widths:
            visitor.resize(width)
            visitor.picture(f"hq-{path.strip('/').replace('/', '-') or 'now'}-{width}")
            if overflow(visitor) > 0:
                problems.append(f"{path}: {overflow(visitor)} px wider than {width}")
        # The narrow layout is the one that shifts most.
        problems += [f"{path}: {it}" for it in findings(visitor)]

    assert not problems


def test_the_counter_can_be_read_on_a_tablet_and_a_phone(visit: Visits, shop: Shop) -> None:
    number = shop.promised()
    problems = []
    visitor = visit(820)
    visitor.sign_in(Role.STORE_ASSOCIATE)
    pages = {
        "queue": "/counter",
        "order": f"/counter?store={OWN}&order={number}",
        "count": f"/counter/count?store={OWN}&code={SKUS[0]}",
    }
    for name, path in pages.items():
        visitor.open(path)
        for width in (820, 390):
            visitor.resize(width)
            visitor.picture(f"counter-{name}-{width}")
            if overflow(visitor) > 0:
                problems.append(f"{path}: wider than {width}")
        problems += [f"{path}: {it}" for it in findings(visitor)]

    assert not problems


def test_the_counter_without_the_centre_leads_to_the_store_agent(visit: Visits) -> None:
    visitor = visit(820)
    visitor.sign_in(Role.STORE_ASSOCIATE)
    visitor.open("/counter")
    alert = visitor.page.get_by_role("alert")

    with offline(visitor):
        expect(alert).to_contain_text("No connection", timeout=PATIENCE_MS)
        link = alert.get_by_role("link")
        assert link.get_attribute("href") == "http://127.0.0.1:8181/counter"
        visitor.picture("counter-offline-820")
        assert not findings(visitor)

    expect(alert).to_be_hidden(timeout=PATIENCE_MS)


def test_the_customers_page_has_the_code_when_the_goods_are_ready(visit: Visits, shop: Shop) -> None:
    number = shop.promised()
    with shop.vault() as vault:
        token, code = vault.codes.token(number, 1), vault.codes.code(number, 1)
    visitor = visit(390)
    visitor.open(f"/o/{number}/{token}")
    assert token not in visitor.page.url
    assert code not in visitor.page.inner_text("main")

    for path, body in (
        ("acceptance", {}),
        ("picks", {"lines": [{"line": 1, "picked": 1}]}),
        ("staging", {"location": "R1"}),
    ):
        answer = shop.ask("POST", f"/v1/orders/{number}/{path}", Role.STORE_ASSOCIATE, json=body)
        assert answer.status_code == 200, answer.text

    in_groups = re.compile(r"\s?".join(code))
    expect(visitor.page.locator("main")).to_contain_text(in_groups, timeout=PATIENCE_MS)
    visitor.picture("customer-ready-390")
    assert not findings(visitor)
    assert overflow(visitor) <= 0


def test_a_customer_changes_the_store_and_sees_the_new_one(visit: Visits, shop: Shop) -> None:
    number = shop.promised()
    with shop.vault() as vault:
        token = vault.codes.token(number, 1)
    visitor = visit(390, dark=True)
    visitor.open(f"/o/{number}/{token}")

    visitor.page.locator("#move summary").click()
    visitor.page.get_by_label(re.compile("Market Square")).check()
    visitor.picture("customer-move-390")
    problems = findings(visitor)
    assert overflow(visitor) <= 0
    visitor.page.get_by_role("button", name="Change to this store").click()

    expect(visitor.page.locator("p.note.good")).to_contain_text("at the new store now", timeout=PATIENCE_MS)
    expect(visitor.page.locator("section.store h2")).to_have_text("Market Square", timeout=PATIENCE_MS)
    visitor.picture("customer-moved-390")
    order = shop.ask("GET", f"/v1/orders/{number}").json()
    assert (order["store"], {it["store"] for it in order["lines"]}) == (OTHER, {OTHER})
    assert not problems + findings(visitor)


def test_staff_count_and_change_hours_and_the_files_have_the_same_rows(
    visit: Visits, shop: Shop, tmp_path: Path
) -> None:
    store = new_name("hours")
    file = tmp_path / "stores.csv"
    file.write_text(f"store_id,name,time_zone,opening_hours\n{store},Pier,America/Chicago,Mo-Sa 08:00-20:00\n")
    assert shop.bopis("stores", "import", str(file)).code == 0
    shop.bopis.ask("stock", "receive", store, f"{SKUS[0]}=20")

    manager = visit(820)
    manager.sign_in(Role.STORE_MANAGER, store)
    manager.open(f"/counter/count?store={store}&code={SKUS[0]}")
    manager.page.get_by_label("Counted").fill("18")
    manager.page.get_by_role("button", name="Record the count").click()
    expect(manager.page.locator("#order")).to_contain_text("The books differed by -2", timeout=PATIENCE_MS)
    manager.picture("counter-counted-820")

    operator = visit(1_440, dark=True)
    operator.sign_in(Role.HQ_OPERATOR)
    operator.open(f"/stores/{store}/hours")
    operator.page.get_by_label("Sunday").fill("10:00-16:00")
    operator.page.get_by_role("button", name="Preview the effect").click()
    expect(operator.page.locator("#preview")).to_contain_text("10:00–16:00", timeout=PATIENCE_MS)
    operator.picture("hq-hours-preview-1440")
    problems = findings(operator) + findings(manager)
    operator.page.get_by_label("Reason").fill("summer Sundays")
    operator.page.get_by_role("button", name="Save these hours").click()
    expect(operator.page.locator("p.note").first).to_contain_text("The hours are saved", timeout=PATIENCE_MS)
    expect(operator.page.locator("main")).to_contain_text("summer Sundays")
    assert not problems

    def files(path: str, **query: str) -> tuple[list[list[str]], list[tuple[Any, ...]]]:
        text, table = (shop.ask("GET", f"/{path}.{kind}", params=query) for kind in ("csv", "parquet"))
        assert (text.status_code, table.status_code) == (200, 200)
        return read_csv(text.text)[1:], read(table.content)

    books = shop.eventually(lambda: [it for it in files("inventory", store=store)[1] if it[6] == 18])
    assert files("inventory", store=store)[0] == as_csv(books)
    lines, movements = files("history", store=store, sku=SKUS[0])
    assert lines == as_csv(movements)
    assert [it[2] for it in movements] == ["count", "receipt"]


def test_a_till_sale_is_seen_without_reload(visit: Visits, shop: Shop) -> None:
    visitor = visit()
    visitor.sign_in(Role.HQ_VIEWER)
    visitor.open(f"/orders?store={OWN}")
    visitor.open("/")
    before = visitor.page.inner_text("main")

    number = shop.promised()
    main = visitor.page.locator("main")
    expect(main).not_to_have_text(before, use_inner_text=True, timeout=PATIENCE_MS)

    visitor.open(f"/orders/{number}")
    assert SKUS[0] in visitor.page.inner_text("main")


def test_two_associates_at_one_order_see_each_others_work(visit: Visits, shop: Shop) -> None:
    number = shop.promised()
    first, second = visit(820), visit(820)
    for visitor in (first, second):
        visitor.sign_in(Role.STORE_ASSOCIATE)
        visitor.open(f"/counter?store={OWN}&order={number}")

    first.page.get_by_role("button", name="Accept").first.click()
    expect(first.page.locator("body")).to_contain_text("Accepted", timeout=PATIENCE_MS)

    second.open(f"/counter?store={OWN}&order={number}")
    assert second.page.get_by_role("button", name="Accept").count() == 0


def test_whoever_is_not_signed_in_sees_nothing(visit: Visits, shop: Shop) -> None:
    visitor = visit()
    for path in ("/", "/orders", "/inventory", "/stores", "/operations", "/routing", "/counter"):
        visitor.open(path)
        assert "/sign-in" in visitor.page.url, path
    number = shop.promised()
    answer = visitor.page.goto(f"{shop.url}/o/{number}/AAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert answer is not None
    assert answer.status == 404


def test_an_account_signs_in_from_another_site_and_out_again(visit: Visits, accounts: IdentityProvider) -> None:
    """A browser leaves a strict cookie out of what another site begins: the page after a sign-in must have it all the
    same, at the first try."""
    # A page of the provider: what is clicked there is a navigation that another site begins.
    accounts.has_page = True
    visitor = visit()
    page = visitor.page
    visitor.open("/orders")
    page.get_by_role("link", name="Sign in with your account").click()
    page.get_by_role("link", name="Continue as Anna").click()

    expect(page.get_by_role("heading", name="Orders", level=1)).to_be_visible()
    expect(page.locator("header .who")).to_contain_text("anna@example.org")
    assert page.url == f"{visitor.shop.url}/orders"

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    visitor.picture("signed-out")
    assert not findings(visitor)
    page.get_by_role("link", name="Sign out there, too").click()
    page.wait_for_url(f"{accounts.issuer}/end**")
    visitor.open("/orders")
    assert page.url == f"{visitor.shop.url}/sign-in?to=/orders"
