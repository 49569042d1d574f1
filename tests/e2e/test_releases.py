"""Releases on the running system: one that breaks is withdrawn, and no drop goes without its answer."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from cloud.depot import Depot
from cloud.lives import DynamoLives
from cloud.trials import DynamoTrials
from tests.e2e.conftest import Site, until
from tests.e2e.test_steady import calmed, invoked
from tests.onnx_classifier import write_release
from tests.schemas import fits
from vigil.flow.admit import pedigree_of
from vigil.learn.interval import Interval
from vigil.learn.release import Pointers, register
from vigil.learn.stages import Change, Standing

MODEL = "tiny-colours"
GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)
MINUTE_S = 60.0

RETRIED_S = 150.0
"""A drop that broke all through that minute is tried again a minute later, if not earlier."""

BROKEN = {'labels = ["red", "green", "blue"]': 'labels = ["red", "green"]'}
"""A card that its network does not fit: found out only when it has to answer."""


@pytest.fixture
def lives(site: Site) -> DynamoLives:
    return DynamoLives(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


@pytest.fixture
def calm_afterwards(site: Site) -> Iterator[None]:
    """So many failures may well have stopped the lane."""
    yield
    calmed(site)


def red() -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (32, 32), (250, 0, 0)).save(packed, "PNG")
    return packed.getvalue()


def registered(site: Site, place: Path, lives: DynamoLives, changes: dict[str, str]) -> str:
    """A release of the model that differs from the bundled one, on S3 and on record; its id."""
    files = write_release(place, threshold=0.7)
    card = files["card.toml"].decode()
    for line, instead in changes.items():
        card = card.replace(line, instead)
    files["card.toml"] = card.encode()
    pedigree = pedigree_of(MODEL, files, parent=bundled(site), data="d1", recipe=None)
    Depot(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put(pedigree, files)
    standing = Standing(register(MODEL, pedigree.id, datetime.now(UTC)), GOOD, BETTER)
    lives.register(standing, bundled=bundled(site), data="d1", parent=bundled(site))
    return pedigree.id


def bundled(site: Site) -> str:
    (row,) = site.ended(site.put(red(), name="first.png", model=MODEL))
    return str(row["release"])


def stage(lives: DynamoLives, release: str) -> str:
    found = lives.book(MODEL).find(release)
    return found.life.stage if found else ""


def answering(site: Site, lives: DynamoLives, release: str) -> None:
    """Let a release be the active one, as if it had been promoted; the bundled one is its former."""
    book, now = lives.book(MODEL), datetime.now(UTC)
    found = book.find(release)
    assert found is not None
    life = replace(found.life, stage="active", since=now)
    lives.move(book, Change(Pointers(release, former=bundled(site)), (life,)))


@pytest.mark.usefixtures("calm_afterwards")
def test_an_active_release_that_breaks_is_rolled_back_within_a_minute_by_its_alarm(
    site: Site, lives: DynamoLives, tmp_path: Path
):
    former, broken = (
        bundled(site),
        registered(site, tmp_path, lives, BROKEN | {"this project's tests": "somebody"}),
    )
    answering(site, lives, broken)

    began, drops = time.monotonic(), []
    while lives.book(MODEL).pointers.active == broken and time.monotonic() - began < MINUTE_S:
        drops.append(site.put(red(), name="red.png", model=MODEL))
        time.sleep(0.5)
    took_s = time.monotonic() - began

    assert took_s < MINUTE_S
    assert stage(lives, broken) == "rolled-back"
    until(lambda: any('"alarm":"vigil-test-release-broke"' in line for line in site.running.logs("Releases")))
    rows = site.ended(*drops, within_s=RETRIED_S)
    assert {row["state"] for row in rows} == {"done"}
    assert rows[0]["release"] == former


def test_a_candidate_that_breaks_is_withdrawn_and_every_drop_has_its_answer(
    site: Site, lives: DynamoLives, tmp_path: Path
):
    broken = registered(site, tmp_path, lives, BROKEN)
    until(lambda: invoked(site, "Releases") and stage(lives, broken) == "shadow")
    book = lives.book(MODEL)
    life = book.standings[-1].life
    lives.move(book, Change(Pointers(book.pointers.active, broken, share=1.0, beside=1.0), (life,)))
    trials = DynamoTrials(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])

    drops = []
    while len(trials.seen(MODEL, broken, life.since)) < 3:
        drops.append(site.put(red(), name="red.png", model=MODEL))
        site.ended(*drops)

    moved = until(lambda: invoked(site, "Releases")["moved"] or stage(lives, broken) == "rejected")
    rows = site.ended(*drops)
    assert moved
    assert {(row["state"], row["release"]) for row in rows} == {("done", lives.book(MODEL).pointers.active)}
    told = site.heard(broken)
    for event in told:
        fits("release-moved", event)
    assert [event["data"]["stage"] for event in told][-1] == stage(lives, broken)
