"""Releases and trainings as the API shows them, and what people decide about them."""

from datetime import UTC, datetime

import pytest

from cloud.jobs import DynamoJobs, Kept
from cloud.lives import DynamoLives
from cloud.state import States
from cloud.states import save_kept
from tests.api.conftest import Site
from vigil.flow.migrate import Kept as Remembered
from vigil.flow.migrate import Progress
from vigil.flow.releases import tend
from vigil.learn.dispatch import want
from vigil.learn.gates import default_gates
from vigil.learn.interval import Interval
from vigil.learn.release import register
from vigil.learn.stages import Standing
from vigil.learn.training import Lesson
from vigil.learn.trial import Trial
from vigil.learn.vitals import Vitals

GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)
MODEL, FIRST, SECOND = "plates", "1" * 16, "2" * 16
GATES = ["error", "latency", "agreement", "gain", "metric"]
WHY = {"why": "the yard is lit anew"}
RELEASES = f"/v1/models/{MODEL}/releases"


class Drops:
    """Ports Shows and Watched: two hundred drops on which both said the same, and nothing since."""

    def newest(self, model: str, release: str, since: datetime) -> tuple[Vitals, ...]:
        return ()

    def seen(self, model: str, release: str, since: datetime) -> tuple[Trial, ...]:
        return tuple(Trial(model, release, f"d{n}", True, False, False, 5.0, 5.0) for n in range(200))


@pytest.fixture
def lives(site: Site) -> DynamoLives:
    return DynamoLives(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def registered(lives: DynamoLives, release: str) -> None:
    standing = Standing(register(MODEL, release, datetime.now(UTC)), GOOD, BETTER)
    lives.register(standing, bundled="0" * 16, data="d1", parent=None)


def test_a_model_is_shown_with_its_releases_and_people_move_them(site: Site, lives: DynamoLives):
    shows = Drops()
    registered(lives, FIRST)
    for _ in range(2):
        tend(MODEL, lives, shows, shows, default_gates(), now=datetime.now(UTC))
    tried = site.ask("GET", f"/v1/models/{MODEL}", role="viewer").json

    promoted = site.ask("POST", f"{RELEASES}/{FIRST}/promote", WHY)
    again = site.ask("POST", f"{RELEASES}/{FIRST}/promote", WHY)
    registered(lives, SECOND)
    rejected = site.ask("POST", f"{RELEASES}/{SECOND}/reject", WHY)
    back = site.ask("POST", f"/v1/models/{MODEL}/rollback", WHY)

    assert (tried["active"], tried["candidate"]["release"]) == ("0" * 16, FIRST)
    shadow, canary = tried["releases"][0]["history"]
    assert (shadow["stage"], canary["stage"]) == ("shadow", "canary")
    assert [text.split()[0] for text in canary["reasons"]] == GATES
    assert promoted.json == {"model": MODEL, "stages": {FIRST: "active"}}
    assert rejected.json["stages"] == {SECOND: "rejected"}
    assert (back.json["stages"], again.status) == ({FIRST: "rolled-back"}, 409)
    told = site.ask("GET", f"/v1/models/{MODEL}").json
    assert told["active"] == "0" * 16
    ends = {one["release"]: one["history"][-1]["reasons"] for one in told["releases"]}
    assert all(reasons[0].endswith(WHY["why"]) for reasons in ends.values())
    assert site.ask("POST", f"/v1/models/{MODEL}/rollback", WHY).status == 409


def test_a_release_that_there_is_not_is_not_found(site: Site):
    for decided in ("promote", "reject"):
        assert site.ask("POST", f"/v1/models/faces/releases/{'0' * 16}/{decided}", WHY).status == 404


def test_trainings_of_a_model_that_there_is_not_are_not_found(site: Site):
    assert site.ask("GET", "/v1/models/nothing/trainings").status == 404
    assert site.ask("GET", "/v1/models/faces/trainings").json == {"items": []}


def test_trainings_are_listed_with_what_they_cost(site: Site):
    jobs = DynamoJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    lesson = Lesson("classifier", MODEL, "d1", "[fit]", None, "image")
    job = want(lesson, datetime.now(UTC))
    jobs.keep(Kept(job, release=FIRST, expected=0.04, most=0.92, usd=0.031, seconds=400.0))

    (told,) = site.ask("GET", f"/v1/models/{MODEL}/trainings").json["items"]

    assert told["job"] == job.name
    assert (told["release"], told["usd"]) == (FIRST, 0.031)
    assert (told["expected_usd"], told["most_usd"]) == (0.04, 0.92)


def test_without_a_container_nothing_is_trained_and_the_reason_is_told(site: Site):
    answer = site.ask("POST", f"/v1/models/{MODEL}/trainings", {})

    assert (answer.status, answer.json["reason"]) == (422, "no-training")


def test_a_release_that_is_not_tried_yet_says_how_many_people_it_knows(site: Site, lives: DynamoLives):
    standing = Standing(register("doors", FIRST, datetime.now(UTC)), GOOD, BETTER)
    lives.register(standing, bundled="0" * 16, data="d1", parent=None)
    here = States(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    save_kept(here, "doors", Remembered({FIRST: "space"}, {FIRST: Progress(9, ("p-000000000001",), 3)}))

    (release,) = site.ask("GET", "/v1/models/doors", role="viewer").json["releases"]

    assert release["migrated"] == {"people": 9, "left": 3, "without": 1}
