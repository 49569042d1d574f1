"""A browser that is signed in to the packaged console; without Chromium or npm the tests are skipped."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.api.conftest import Site
from vigil_cli.commands.local import sign_in_link
from vigil_cli.paths import PACKAGE

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 60_000
"""How long a state is waited for; tests measure no time."""

expect.set_options(timeout=TIMEOUT_MS)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium here: install the package chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def console(site: Site) -> Path:
    """The folder of the packaged console."""
    folder = Path(PACKAGE) / "console"
    if not folder.is_dir():
        pytest.skip("the package has no console: npm was not to be had when it was built")
    return folder


@pytest.fixture
def open_page(site: Site, browser: Browser, console: Path) -> Iterator[OpenPage]:
    """Opens the console with a role; what the browser reports as an error fails the test at its end."""
    errors: list[str] = []
    contexts = []

    def open_as(role: str = "admin", path: str = "live", *, width: int = 1440, language: str = "en") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=language, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
        page.goto(sign_in_link(site.running.outputs, site.token(role, subject=f"console-{role}")))
        page.wait_for_selector("main h1")
        go_to(page, path)
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert errors == []


def go_to(page: Page, path: str) -> None:
    """Show a page of the console."""
    page.evaluate("path => { location.hash = '#/' + path }", path)
    name = path.partition("/")[0]
    page.wait_for_selector(f'nav a[aria-current="page"][href="#/{name}"]', state="attached")


def console_url(site: Site) -> str:
    """The address of the console."""
    address = urlsplit(site.url)
    return f"{address.scheme}://{address.netloc}/"
