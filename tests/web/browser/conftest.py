"""A browser over the running installation: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bopis.access.roles import OWN_STORES, Role
from bopis.adapters.secrets.sign_in_links import SignInLinks
from tests.web.shop import OWN, Shop

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
PATIENCE_MS = 60_000


# Not of the session: Playwright's event loop runs in this thread until it ends, and no other test could run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of a file."""
    program = shutil.which("chromium")
    if program is None:
        problem = "Chromium is missing: install the package chromium."
        pytest.fail(problem) if os.environ.get("CI") == "true" else pytest.skip(problem)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """A person with a browser window of their own."""

    def __init__(self, page: Page, shop: Shop, pictures: Path | None) -> None:
        self.page = page
        self.shop = shop
        self.faults: list[str] = []
        self._pictures = pictures
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def sign_in(self, role: Role, store: str = OWN) -> None:
        """Sign in by a one-time link."""
        stores = (store,) if role in OWN_STORES else ()
        with self.shop.vault() as vault:
            token = SignInLinks(vault.session_key).token(f"{role}", role, stores)
        self.open(f"/sign-in/link?token={token}")

    def open(self, path: str) -> None:
        """Open a page."""
        answer = self.page.goto(f"{self.shop.url}{path}")
        assert answer is not None
        assert answer.status < 400, f"{path}: {answer.status}"

    def resize(self, width: int) -> None:
        """Make the window as wide as this; scripts and layout have followed when it returns."""
        height = (self.page.viewport_size or {"height": 900})["height"]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page, if somebody wants to look at it."""
        if self._pictures is not None:
            self.page.screenshot(path=self._pictures / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """The folder of pictures, that of BOPIS_TEST_PICTURES; None: nobody wants any."""
    folder = os.environ.get("BOPIS_TEST_PICTURES")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


@pytest.fixture
def visit(browser: Browser, shop: Shop, pictures: Path | None) -> Iterator["Visits"]:
    """Opens windows; at the end no script may have failed in one."""
    visits = Visits(browser, shop, pictures)
    yield visits
    faults = visits.close()
    assert not faults


class Visits:
    """The windows of one test."""

    def __init__(self, browser: Browser, shop: Shop, pictures: Path | None) -> None:
        self._browser = browser
        self._shop = shop
        self._pictures = pictures
        self._open: list[Visitor] = []

    def __call__(self, width: int = 1_440, height: int = 900, dark: bool = False) -> Visitor:
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        visitor = Visitor(context.new_page(), self._shop, self._pictures)
        self._open.append(visitor)
        return visitor

    def close(self) -> list[str]:
        """Close all windows; returns what failed in their scripts."""
        for visitor in self._open:
            visitor.page.context.close()
        return [fault for visitor in self._open for fault in visitor.faults]


@contextmanager
def offline(visitor: Visitor) -> Iterator[None]:
    """The network of one window is away."""
    visitor.page.context.set_offline(True)
    yield
    visitor.page.context.set_offline(False)
