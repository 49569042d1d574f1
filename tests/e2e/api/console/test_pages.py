"""Every page: no serious accessibility fault, no sideways scrolling, and a screenshot in build/screens."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from infra.package.build import ROOT
from tests.e2e.api.conftest import PHOTOS, Site
from tests.e2e.api.console.conftest import OpenPage, go_to

PAGES = ("live", "alerts", "people", "unknowns", "search", "upload", "health", "models", "rules", "audit")
SCREENS = ROOT / "build" / "screens"
AXE = ROOT / ".build" / "console" / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""
READY = """() => !document.querySelector('[aria-busy="true"]')
  && [...document.images].every((image) => image.complete || image.loading === "lazy")"""


@pytest.fixture(scope="module")
def seen(site: Site, biden: str) -> None:
    """Photos of known and of unknown people, from sources of their own: other tests count theirs."""
    for photo, source in (("biden.jpg", "entrance"), ("obama.jpg", "vault-9"), ("obama3.jpg", "corridor")):
        site.upload_drop((PHOTOS / photo).read_bytes(), source)
    site.upload_drop(b"not a photo", "corridor")


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1440, "light", "en"), (1440, "dark", "en"), (390, "light", "zh"), (390, "dark", "en")],
)
def test_every_page_is_accessible_and_fits_its_window(
    biden: str, open_page: OpenPage, width: int, theme: str, language: str
):
    page = open_page(width=width, language=language)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    page.evaluate(AXE.read_text())
    faults: list[str] = []
    for name in PAGES:
        go_to(page, f"people/{biden}" if name == "people" else name)
        page.wait_for_selector("main h1")
        page.wait_for_function(READY)
        faults += [f"{name}: {fault}" for fault in page.evaluate(RUN_AXE)]
        faults += _overflow(page, name)
        _save_screen(page, SCREENS / f"{name}-{width}-{theme}-{language}.png")

    assert faults == []


def _overflow(page: Page, name: str) -> list[str]:
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{name}: {wider} px wider than the window"] if wider > 0 else []


def _save_screen(page: Page, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file)
