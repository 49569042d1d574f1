"""Another embedding on the running system: everybody is known before it, while it answers, and after it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloud.dynamodb.attributes import from_item
from cloud.dynamodb.counters import DynamoComparisons
from cloud.dynamodb.people import DynamoTemplates
from cloud.dynamodb.releases import DynamoReleases
from cloud.s3.objects import S3ReleaseStore
from models.build.compose import compose_release
from tests.deployment import enrol_photos
from tests.e2e.conftest import PHOTOS, RunningSystem, wait_until
from tests.e2e.test_maintenance import invoke_function
from tests.fakes.built_models import faces_model
from tests.fakes.rotated_embedding import write_rotated
from vigil.releases.lifecycle import ReleasePointers, registered_state
from vigil.releases.registration import build_manifest
from vigil.releases.rollout import ReleaseRecord, RolloutChange, promote_release, roll_back_release
from vigil.statistics import Interval

MODEL = "faces"


@pytest.fixture
def releases(site: RunningSystem) -> Iterator[DynamoReleases]:
    """Put back as it was, since everybody else's drops are answered by the same model."""
    repository = DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    yield repository
    model_releases = repository.read_releases(MODEL)
    repository.save_change(model_releases, RolloutChange(ReleasePointers(faces_model().release), ()))


def register_rotated(site: RunningSystem, releases: DynamoReleases, folder: Path) -> str:
    """The turned embedding on S3 and on record; its id."""
    files = compose_release(MODEL, write_rotated(folder))
    manifest = build_manifest(MODEL, files, parent=faces_model().release, data=None, recipe=None)
    S3ReleaseStore(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put_release(manifest, files)
    record = ReleaseRecord(
        registered_state(MODEL, manifest.id, datetime.now(UTC)), Interval(1.0, 0.97, 1.0, 90)
    )
    releases.register(record, bundled=faces_model().release, data="", parent=faces_model().release)
    return manifest.id


def recognised_label(site: RunningSystem, photo: str, release: str) -> str:
    """Whom a drop shows, once it is this release that answers."""

    def answered() -> str | None:
        drop = site.drop_bytes((PHOTOS / photo).read_bytes())
        (row,) = site.wait_until_completed(drop)
        assert row["state"] == "done", row
        (sighting,) = site.cloud.records.sightings(drop)
        assert sighting["status"] == "known", sighting
        return str(sighting["label"]) if row["release"] == release else None

    return str(wait_until(answered))


def gallery_pointer(site: RunningSystem) -> dict[str, Any]:
    key = {"pk": {"S": "gallery"}, "sk": {"S": "default"}}
    answer = site.cloud.client("dynamodb").get_item(TableName=site.cloud.outputs["PeopleTable"], Key=key)
    return from_item(answer["Item"])


def test_people_are_known_to_a_new_embedding_and_to_the_old_one_again(
    site: RunningSystem, releases: DynamoReleases, tmp_path: Path
):
    bundled, turned = faces_model().release, register_rotated(site, releases, tmp_path)
    obama = recognised_label(site, "obama2.jpg", bundled)

    wait_until(lambda: invoke_function(site, "Reembed")["releases"].get(turned, {}).get("remaining") == 0)
    both = gallery_pointer(site)
    wait_until(
        lambda: (
            invoke_function(site, "Rollout") and releases.read_releases(MODEL).pointers.candidate == turned
        )
    )
    answer = enrol_photos(site.cloud, "Obama", [PHOTOS / "obama3.jpg"], ["watch"])

    assert (len(both["keys"]), both["incomplete_spaces"], answer["rejected"]) == (2, [], [])
    templates = DynamoTemplates(site.cloud.client("dynamodb"), site.cloud.outputs["PeopleTable"])
    assert {len(rows) for rows in templates.vectors(obama).values()} == {2}

    agreements = shadow_agreements(site, releases, turned)
    promote_release(MODEL, turned, releases, now=datetime.now(UTC), reason="as good")
    assert (agreements, recognised_label(site, "obama2.jpg", turned)) == ({True}, obama)

    roll_back_release(MODEL, releases, now=datetime.now(UTC), reason="a drill")
    assert recognised_label(site, "obama2.jpg", bundled) == obama

    wait_until(lambda: invoke_function(site, "Reembed") and len(gallery_pointer(site)["keys"]) == 1)
    wait_until(lambda: invoke_function(site, "Reembed") and len(templates.vectors(obama)) == 1)


def shadow_agreements(site: RunningSystem, releases: DynamoReleases, release: str) -> set[bool]:
    """Whether the candidate, looking at every drop, says what the active one says."""
    model_releases = releases.read_releases(MODEL)
    releases.save_change(
        model_releases, RolloutChange(replace(model_releases.pointers, shadow_share=1.0), ())
    )
    trials = DynamoComparisons(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    since = datetime.min.replace(tzinfo=UTC)

    def seen() -> set[bool]:
        site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes()))
        return {trial.agreed for trial in trials.comparisons_since(MODEL, release, since)}

    return set(wait_until(seen))
