"""An operator enrols somebody, corrects a label, changes a rule after a dry run, and erases the person."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.api.conftest import PHOTOS, Site
from tests.e2e.api.console.conftest import OpenPage, go_to

NAME = "Grace Hopper"


@pytest.fixture
def grace(site: Site, biden: str, open_page: OpenPage) -> Page:
    """The page of a person who was enrolled in the console, with one photo accepted and one refused."""
    page = open_page(path="people")
    page.get_by_role("button", name="Add a person").click()
    dialog = page.locator("dialog")
    dialog.get_by_label("Name").fill(NAME)
    dialog.get_by_role("button", name="Continue").click()
    photos = dialog.locator('input[type="file"]')
    photos.set_input_files(PHOTOS / "obama.jpg")
    expect(dialog.locator(".attempt.enrolled")).to_have_count(1)
    photos.set_input_files(PHOTOS / "biden.jpg")
    expect(dialog.locator(".attempt.refused .box.refused")).to_have_count(1)
    expect(dialog.locator(".attempt.refused")).to_contain_text("Enrolled as another person")
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator(".queue-row", has_text=NAME)).to_be_visible()
    return page


@pytest.mark.usefixtures("rules")
def test_a_person_is_enrolled_seen_corrected_and_erased(site: Site, grace: Page):
    (person,) = site.request("GET", "/v1/people?name=Grace").json["items"]
    grace.get_by_label("Watch list").click()
    expect(grace.locator(".queue-row", has_text=NAME)).to_contain_text("Watch list")

    _rule_is_changed_after_a_dry_run(site, grace)
    go_to(grace, "live")
    drop = site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "garden")
    card = grace.locator(f'article[data-drop="{drop["id"]}"]')
    expect(card).to_contain_text(NAME)
    card.get_by_role("button").first.click()
    grace.get_by_label("Correct the label").fill("unknown")
    grace.get_by_role("button", name="Save").click()
    expect(grace.get_by_text("Saved: unknown")).to_be_visible()
    grace.keyboard.press("Escape")

    go_to(grace, f"people/{person['id']}")
    grace.get_by_role("button", name="Erase this person").click()
    erase = grace.locator("dialog").get_by_role("button", name="Erase this person")
    expect(erase).to_be_disabled()
    grace.get_by_label(re.compile("Type .* to confirm")).fill(NAME)
    erase.click()
    expect(grace.get_by_text("The receipt is signed.")).to_be_visible()
    grace.get_by_role("button", name="Done").click()

    expect(grace.locator(".queue-row", has_text=NAME)).to_have_count(0)
    go_to(grace, "live")
    expect(grace.get_by_text(NAME)).to_have_count(0)
    assert site.request("GET", f"/v1/people/{person['id']}").status == 404


def _rule_is_changed_after_a_dry_run(site: Site, page: Page) -> None:
    go_to(page, "rules")
    apply = page.get_by_role("button", name="Put in force")
    page.get_by_role("button", name="Add a rule").click()
    expect(page.get_by_label("rules.toml")).to_have_value(re.compile(r'\[\[rules\]\]\nname = "rule-7"'))
    expect(apply).to_be_disabled()
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("section.panel table")).to_contain_text("rule-7")
    apply.click()
    expect(apply).to_be_disabled()
    page.wait_for_function("() => !document.querySelector('section.panel table')")

    names = [one["name"] for one in site.request("GET", "/v1/rules").json["rules"]]
    assert names[-1] == "rule-7"
    assert site.request("GET", "/v1/rules").json["toml"].startswith("# The rules that apply")
