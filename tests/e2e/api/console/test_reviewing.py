"""The console shows sightings as they come, and alerts are reviewed with the keyboard."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.api.conftest import PHOTOS, Site
from tests.e2e.api.console.conftest import OpenPage, console_url, go_to


@pytest.mark.usefixtures("console")
def test_the_console_is_served_with_a_strict_policy_and_without_inline_scripts(site: Site):
    answer = site.http.request("GET", console_url(site))
    policy = answer.headers["Content-Security-Policy"]
    page = answer.data.decode()

    assert answer.headers["Content-Type"] == "text/html"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert page.count("<script") == page.count('<script type="module" crossorigin src=')
    assert "style=" not in page
    assert "onclick" not in page


def test_a_photo_that_is_uploaded_in_the_console_appears_live_and_its_alert_is_confirmed_by_a_key(
    site: Site, biden: str, open_page: OpenPage
):
    page = open_page()
    uploads = page.context.new_page()
    uploads.goto(console_url(site) + "#/upload")
    uploads.evaluate("token => sessionStorage.setItem('vigil.token', token)", site.token("admin"))
    uploads.reload()
    uploads.get_by_label("Source").first.fill("lobby")
    uploads.locator('input[type="file"]').first.set_input_files(PHOTOS / "biden.jpg")
    expect(uploads.get_by_text("1 of 1 ended")).to_be_visible(timeout=60_000)
    expect(uploads.locator("table.list")).to_contain_text("Joe")

    card = page.locator("article.card", has_text="lobby")
    expect(card).to_contain_text("Joe")
    expect(card.locator(".box.known")).to_have_count(1)
    page.wait_for_function("() => document.querySelector('article.card img')?.naturalWidth > 0")
    expect(page.locator(".alert-strip", has_text="lobby")).to_be_visible()

    go_to(page, "alerts")
    mine = page.locator(".queue-row", has_text="lobby")
    for _ in range(100):
        if mine.get_attribute("aria-current") == "true":
            break
        page.keyboard.press("j")
    expect(page.locator("article.panel")).to_contain_text("lobby")
    page.keyboard.press("c")
    expect(mine).to_have_count(0)

    (alert,) = site.request("GET", "/v1/alerts?source=lobby").json["items"]
    assert (alert["review"], alert["reviews"][0]["decision"]) == ("confirmed", "confirm")


def test_a_token_leaves_the_address_and_a_wrong_one_gets_no_further(site: Site, open_page: OpenPage):
    page = open_page()

    assert "token" not in page.url
    page.goto(console_url(site) + "#token=not.a.token")
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_the_texts_of_both_languages_and_the_first_load_stay_small(console: Path):
    import gzip

    loaded = [path for path in console.rglob("*") if path.suffix in (".html", ".js", ".css", ".svg")]
    compressed = sum(len(gzip.compress(path.read_bytes())) for path in loaded)

    assert compressed <= 150_000


def test_what_the_api_says_about_the_caller_decides_which_buttons_are_shown(
    site: Site, open_page: OpenPage, biden: str
):
    viewer = json.loads(site.request("GET", "/v1/me", role="viewer").text)
    page = open_page("viewer")

    assert {"list-alerts", "get-rules"} <= set(viewer["operations"])
    assert not {"review-alert", "erase-person", "replace-rules"} & set(viewer["operations"])
    expect(page.locator("nav a", has_text="Upload")).to_have_count(0)
    expect(page.locator("nav a", has_text="People")).to_have_count(0)
    go_to(page, "alerts")
    expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    go_to(page, "rules")
    expect(page.get_by_label("rules.toml")).to_be_visible()
    expect(page.get_by_role("button", name="Put in force")).to_have_count(0)
    assert page.get_by_label("rules.toml").is_editable() is False
