"""Another embedding on the running system: everybody is known before it, while it answers, and after it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloud.depot import Depot
from cloud.items import fields
from cloud.lives import DynamoLives
from cloud.templates import DynamoTemplates
from cloud.trials import DynamoTrials
from infra.cli.enrol import enrolled
from infra.models.compose import composed
from tests.e2e.conftest import PHOTOS, Site, until
from tests.e2e.test_steady import invoked
from tests.faces_at_hand import faces_model
from tests.rotated import write_rotated
from vigil.flow.admit import pedigree_of
from vigil.flow.releases import promote, roll_back
from vigil.learn.interval import Interval
from vigil.learn.release import Pointers, register
from vigil.learn.stages import Change, Standing

MODEL = "faces"


@pytest.fixture
def lives(site: Site) -> Iterator[DynamoLives]:
    """Put back as it was, since everybody else's drops are answered by the same model."""
    lives = DynamoLives(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    yield lives
    book = lives.book(MODEL)
    lives.move(book, Change(Pointers(faces_model().release), ()))


def registered(site: Site, lives: DynamoLives, place: Path) -> str:
    """The turned embedding on S3 and on record; its id."""
    files = composed(MODEL, write_rotated(place))
    pedigree = pedigree_of(MODEL, files, parent=faces_model().release, data=None, recipe=None)
    Depot(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"]).put(pedigree, files)
    standing = Standing(register(MODEL, pedigree.id, datetime.now(UTC)), Interval(1.0, 0.97, 1.0, 90))
    lives.register(standing, bundled=faces_model().release, data="", parent=faces_model().release)
    return pedigree.id


def who(site: Site, photo: str, release: str) -> str:
    """Whom a drop shows, once it is this release that answers."""

    def answered() -> str | None:
        drop = site.put((PHOTOS / photo).read_bytes())
        (row,) = site.ended(drop)
        assert row["state"] == "done", row
        (seen,) = site.cloud.records.sightings(drop)
        assert seen["status"] == "known", seen
        return str(seen["label"]) if row["release"] == release else None

    return str(until(answered))


def in_force(site: Site) -> dict[str, Any]:
    key = {"pk": {"S": "gallery"}, "sk": {"S": "pointer"}}
    answer = site.cloud.client("dynamodb").get_item(TableName=site.cloud.outputs["PeopleTable"], Key=key)
    return fields(answer["Item"])


def test_people_are_known_to_a_new_embedding_and_to_the_old_one_again(
    site: Site, lives: DynamoLives, tmp_path: Path
):
    bundled, turned = faces_model().release, registered(site, lives, tmp_path)
    obama = who(site, "obama2.jpg", bundled)

    until(lambda: invoked(site, "Migrate")["releases"].get(turned, {}).get("left") == 0)
    both = in_force(site)
    until(lambda: invoked(site, "Releases") and lives.book(MODEL).pointers.candidate == turned)
    answer = enrolled(site.cloud, "Obama", [PHOTOS / "obama3.jpg"], ["watch"])

    assert (len(both["keys"]), both["growing"], answer["refused"]) == (2, [], [])
    templates = DynamoTemplates(site.cloud.client("dynamodb"), site.cloud.outputs["PeopleTable"])
    assert {len(rows) for rows in templates.vectors(obama).values()} == {2}

    looked = looked_beside(site, lives, turned)
    promote(MODEL, turned, lives, now=datetime.now(UTC), reason="as good")
    assert (looked, who(site, "obama2.jpg", turned)) == ({True}, obama)

    roll_back(MODEL, lives, now=datetime.now(UTC), reason="a drill")
    assert who(site, "obama2.jpg", bundled) == obama

    until(lambda: invoked(site, "Migrate") and len(in_force(site)["keys"]) == 1)
    until(lambda: invoked(site, "Migrate") and len(templates.vectors(obama)) == 1)


def looked_beside(site: Site, lives: DynamoLives, release: str) -> set[bool]:
    """Whether the candidate, looking at every drop, says what the active one says."""
    book = lives.book(MODEL)
    lives.move(book, Change(replace(book.pointers, beside=1.0), ()))
    trials = DynamoTrials(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    since = datetime.min.replace(tzinfo=UTC)

    def seen() -> set[bool]:
        site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))
        return {trial.agreed for trial in trials.seen(MODEL, release, since)}

    return set(until(seen))
