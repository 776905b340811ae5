"""The stage of the browser tests: a real cluster, the real page, and a real Chromium without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from atoll import Cluster
from atoll.child import ServingChild

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
TABLE = "orders"
START_S = 60.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file: while Playwright runs, it occupies the thread's event loop, which other tests want."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program is not None, "Chromium is missing: `make test` installs it on Debian, elsewhere set CHROMIUM."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(REGIONS, proxied=True, announce=False) as running:
        running.create_global_table(TABLE)
        yield running


@pytest.fixture(scope="session")
def address(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's URL."""
    child = ServingChild(["dashboard", f"--cluster={cluster.data}", "--port=0"], tmp_path_factory.mktemp("page"))
    child.launch()
    yield child.wait_ready(START_S)
    child.stop()


@pytest.fixture(autouse=True)
def left_as_found(cluster: Cluster) -> Iterator[None]:
    """Heal the cluster after each test, whatever became of the test: others come after it."""
    yield
    cluster.heal()


class Watched:
    """A page whose complaints and requests are noted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda it: self.complaints.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.on("request", lambda it: self.requests.append(it.url))


@pytest.fixture
def watched(browser: Browser, address: str) -> Iterator[Watched]:
    """The page, drawn once; it must not have complained in the end, nor have asked anybody else for anything."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    made = Watched(page)
    page.goto(address)
    page.locator("#map-stage svg").wait_for()
    yield made
    page.close()
    assert made.complaints == []
    assert all(url.startswith(address) for url in made.requests), made.requests


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which finds what people with an assistive technology would stumble over."""
    file = Path(__file__).parent.parent / "conformance" / "js" / "node_modules" / "axe-core" / "axe.min.js"
    return file.read_text()
