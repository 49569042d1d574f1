"""Releases and trainings as the API shows them, and what people decide about them."""

from datetime import UTC, datetime

import pytest

from cloud.dynamodb.maintenance_state import save_reembedding_state
from cloud.dynamodb.releases import DynamoReleases
from cloud.dynamodb.state import DynamoStateStore
from cloud.dynamodb.training_jobs import DynamoTrainingJobs, TrainingRun
from tests.e2e.api.conftest import Site
from vigil.people.reembedding import ReembeddingProgress
from vigil.people.reembedding import ReembeddingState as Remembered
from vigil.releases.gates import default_gates
from vigil.releases.health import HealthCounts
from vigil.releases.lifecycle import registered_state
from vigil.releases.rollout import ReleaseRecord, advance_rollout
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval
from vigil.training.jobs import TrainingSpec, new_job

GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)
MODEL, FIRST, SECOND = "plates", "1" * 16, "2" * 16
GATES = ["error", "latency", "agreement", "gain", "metric"]
REASON = {"reason": "the yard is lit anew"}
RELEASES = f"/v1/models/{MODEL}/releases"


class ComparisonsAndHealth:
    """Ports Shows and Watched: two hundred drops on which both said the same, and nothing since."""

    def latest_counts(self, model: str, release: str, since: datetime) -> tuple[HealthCounts, ...]:
        return ()

    def comparisons_since(self, model: str, release: str, since: datetime) -> tuple[ShadowComparison, ...]:
        return tuple(
            ShadowComparison(model, release, f"d{n}", True, False, False, 5.0, 5.0) for n in range(200)
        )


@pytest.fixture
def lives(site: Site) -> DynamoReleases:
    return DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def registered(lives: DynamoReleases, release: str) -> None:
    standing = ReleaseRecord(registered_state(MODEL, release, datetime.now(UTC)), GOOD, BETTER)
    lives.register(standing, bundled="0" * 16, data="d1", parent=None)


def test_a_model_is_shown_with_its_releases_and_people_move_them(site: Site, lives: DynamoReleases):
    shows = ComparisonsAndHealth()
    registered(lives, FIRST)
    for _ in range(2):
        advance_rollout(MODEL, lives, shows, shows, default_gates(), now=datetime.now(UTC))
    tried = site.request("GET", f"/v1/models/{MODEL}", role="viewer").json

    promoted = site.request("POST", f"{RELEASES}/{FIRST}/promote", REASON)
    again = site.request("POST", f"{RELEASES}/{FIRST}/promote", REASON)
    registered(lives, SECOND)
    rejected = site.request("POST", f"{RELEASES}/{SECOND}/reject", REASON)
    back = site.request("POST", f"/v1/models/{MODEL}/rollback", REASON)

    assert (tried["active"], tried["candidate"]["release"]) == ("0" * 16, FIRST)
    shadow, canary = tried["releases"][0]["history"]
    assert (shadow["stage"], canary["stage"]) == ("shadow", "canary")
    assert [text.split()[0] for text in canary["reasons"]] == GATES
    assert promoted.json == {"model": MODEL, "stages": {FIRST: "active"}}
    assert rejected.json["stages"] == {SECOND: "rejected"}
    assert (back.json["stages"], again.status) == ({FIRST: "rolled-back"}, 409)
    told = site.request("GET", f"/v1/models/{MODEL}").json
    assert told["active"] == "0" * 16
    ends = {one["id"]: one["history"][-1]["reasons"] for one in told["releases"]}
    assert all(reasons[0].endswith(REASON["reason"]) for reasons in ends.values())
    assert site.request("POST", f"/v1/models/{MODEL}/rollback", REASON).status == 409


def test_a_release_that_there_is_not_is_not_found(site: Site):
    for decided in ("promote", "reject"):
        assert site.request("POST", f"/v1/models/faces/releases/{'0' * 16}/{decided}", REASON).status == 404


def test_trainings_of_a_model_that_there_is_not_are_not_found(site: Site):
    assert site.request("GET", "/v1/models/nothing/trainings").status == 404
    assert site.request("GET", "/v1/models/faces/trainings").json == {"items": []}


def test_trainings_are_listed_with_what_they_cost(site: Site):
    jobs = DynamoTrainingJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    lesson = TrainingSpec("classifier", MODEL, "d1", "[fit]", None, "image")
    job = new_job(lesson, datetime.now(UTC))
    jobs.save(TrainingRun(job, release=FIRST, expected_usd=0.04, max_usd=0.92, cost_usd=0.031, run_s=400.0))

    (told,) = site.request("GET", f"/v1/models/{MODEL}/trainings").json["items"]

    assert told["job"] == job.name
    assert (told["release"], told["usd"]) == (FIRST, 0.031)
    assert (told["expected_usd"], told["max_usd"]) == (0.04, 0.92)


def test_without_a_container_nothing_is_trained_and_the_reason_is_told(site: Site):
    answer = site.request("POST", f"/v1/models/{MODEL}/trainings", {})

    assert (answer.status, answer.json["reason"]) == (422, "training-unavailable")


def test_a_release_that_is_not_tried_yet_says_how_many_people_it_knows(site: Site, lives: DynamoReleases):
    standing = ReleaseRecord(registered_state("doors", FIRST, datetime.now(UTC)), GOOD, BETTER)
    lives.register(standing, bundled="0" * 16, data="d1", parent=None)
    here = DynamoStateStore(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    save_reembedding_state(
        here, "doors", Remembered({FIRST: "space"}, {FIRST: ReembeddingProgress(9, ("p-000000000001",), 3)})
    )

    (release,) = site.request("GET", "/v1/models/doors", role="viewer").json["releases"]

    assert release["reembedding"] == {"people": 9, "remaining": 3, "missing_reference": 1}
