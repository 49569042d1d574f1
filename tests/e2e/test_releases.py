"""Releases on the running system: one that breaks is withdrawn, and no drop goes without its answer."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from cloud.dynamodb.counters import DynamoComparisons
from cloud.dynamodb.releases import DynamoReleases
from cloud.s3.objects import S3ReleaseStore
from tests.e2e.conftest import RunningSystem, wait_until
from tests.e2e.test_maintenance import close_breakers, invoke_function
from tests.fakes.message_schemas import assert_matches_schema
from tests.fakes.onnx_classifier import write_release
from vigil.releases.lifecycle import ReleasePointers, registered_state
from vigil.releases.registration import build_manifest
from vigil.releases.rollout import ReleaseRecord, RolloutChange
from vigil.statistics import Interval

MODEL = "tiny-colours"
GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)
RETRY_TIMEOUT_S = 400.0
"""Seconds in which a failed drop is retried for certain."""

BROKEN = {'labels = ["red", "green", "blue"]': 'labels = ["red", "green"]'}
"""A card that its network does not fit: found out only when it has to answer."""


@pytest.fixture
def releases(site: RunningSystem) -> DynamoReleases:
    return DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


@pytest.fixture
def closed_breakers_afterwards(site: RunningSystem) -> Iterator[None]:
    """So many failures may well have stopped the lane."""
    yield
    close_breakers(site)


def red_picture() -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (32, 32), (250, 0, 0)).save(packed, "PNG")
    return packed.getvalue()


def register_release(
    site: RunningSystem, folder: Path, releases: DynamoReleases, changes: dict[str, str]
) -> str:
    """A release of the model that differs from the bundled one, on S3 and on record; its id."""
    files = write_release(folder, threshold=0.7)
    card = files["card.toml"].decode()
    for line, instead in changes.items():
        card = card.replace(line, instead)
    files["card.toml"] = card.encode()
    manifest = build_manifest(MODEL, files, parent=bundled_release(site), data="d1", recipe=None)
    S3ReleaseStore(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put_release(manifest, files)
    record = ReleaseRecord(registered_state(MODEL, manifest.id, datetime.now(UTC)), GOOD, BETTER)
    releases.register(record, bundled=bundled_release(site), data="d1", parent=bundled_release(site))
    return manifest.id


def bundled_release(site: RunningSystem) -> str:
    (row,) = site.wait_until_completed(site.drop_bytes(red_picture(), name="first.png", model=MODEL))
    return str(row["release"])


def release_stage(releases: DynamoReleases, release: str) -> str:
    found = releases.read_releases(MODEL).find(release)
    return found.state.stage if found else ""


def make_active(site: RunningSystem, releases: DynamoReleases, release: str) -> None:
    """Let a release be the active one, as if it had been promoted; the bundled one is its former."""
    model_releases, now = releases.read_releases(MODEL), datetime.now(UTC)
    found = model_releases.find(release)
    assert found is not None
    state = replace(found.state, stage="active", since=now)
    releases.save_change(
        model_releases, RolloutChange(ReleasePointers(release, previous=bundled_release(site)), (state,))
    )


@pytest.mark.usefixtures("closed_breakers_afterwards")
def test_an_active_release_that_breaks_is_rolled_back_by_its_alarm(
    site: RunningSystem, releases: DynamoReleases, tmp_path: Path
):
    previous, broken = (
        bundled_release(site),
        register_release(site, tmp_path, releases, BROKEN | {"this project's tests": "somebody"}),
    )
    make_active(site, releases, broken)

    drops: list[str] = []
    while releases.read_releases(MODEL).pointers.active == broken:
        drops.append(site.drop_bytes(red_picture(), name="red.png", model=MODEL))
        time.sleep(0.5)

    assert release_stage(releases, broken) == "rolled-back"
    wait_until(
        lambda: any('"alarm":"vigil-test-release-failing"' in line for line in site.running.logs("Rollout"))
    )
    rows = site.wait_until_completed(*drops, within_s=RETRY_TIMEOUT_S)
    assert {row["state"] for row in rows} == {"done"}
    assert rows[0]["release"] == previous


def test_a_failing_candidate_is_withdrawn_and_every_drop_is_processed(
    site: RunningSystem, releases: DynamoReleases, tmp_path: Path
):
    broken = register_release(site, tmp_path, releases, BROKEN)
    wait_until(lambda: invoke_function(site, "Rollout") and release_stage(releases, broken) == "shadow")
    model_releases = releases.read_releases(MODEL)
    state = model_releases.records[-1].state
    releases.save_change(
        model_releases,
        RolloutChange(
            ReleasePointers(model_releases.pointers.active, broken, canary_share=1.0, shadow_share=1.0),
            (state,),
        ),
    )
    trials = DynamoComparisons(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])

    drops = []
    while len(trials.comparisons_since(MODEL, broken, state.since)) < 3:
        drops.append(site.drop_bytes(red_picture(), name="red.png", model=MODEL))
        site.wait_until_completed(*drops)

    moved = wait_until(
        lambda: invoke_function(site, "Rollout")["moved"] or release_stage(releases, broken) == "rejected"
    )
    rows = site.wait_until_completed(*drops)
    assert moved
    assert {(row["state"], row["release"]) for row in rows} == {
        ("done", releases.read_releases(MODEL).pointers.active)
    }
    events = site.events_about(broken)
    for event in events:
        assert_matches_schema("release-moved", event)
    assert [event["data"]["stage"] for event in events][-1] == release_stage(releases, broken)
