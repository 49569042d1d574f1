"""Releases, trainings and decisions about releases."""

from datetime import UTC, datetime

import pytest

from cloud.dynamodb.maintenance_state import save_reembedding_state
from cloud.dynamodb.releases import DynamoReleases, DynamoTrainingJobs
from cloud.dynamodb.state import DynamoStateStore
from tests.e2e.api.conftest import Site
from vigil.people.reembedding import ReembeddingProgress, ReembeddingState
from vigil.releases.gates import default_gates
from vigil.releases.health import HealthCounts
from vigil.releases.lifecycle import registered_state
from vigil.releases.rollout import ReleaseRecord, advance_rollout
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval
from vigil.training.jobs import TrainingRun, TrainingSpec, new_job

GOOD, BETTER = Interval(0.97, 0.95, 0.99, 300), Interval(0.02, 0.005, 0.03, 300)
MODEL, FIRST, SECOND = "plates", "1" * 32, "2" * 32
GATES = ["error", "latency", "agreement", "gain", "metric"]
REASON = {"reason": "the yard is lit anew"}
RELEASES = f"/v1/models/{MODEL}/releases"


class ComparisonsAndHealth:
    """Two hundred drops with equal outputs of both releases, and no health counts."""

    def latest_counts(self, model: str, release: str, since: datetime) -> tuple[HealthCounts, ...]:
        return ()

    def comparisons_since(self, model: str, release: str, since: datetime) -> tuple[ShadowComparison, ...]:
        return tuple(
            ShadowComparison(model, release, f"d{n}", True, False, False, 5.0, 5.0) for n in range(200)
        )


@pytest.fixture
def releases(site: Site) -> DynamoReleases:
    return DynamoReleases(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])


def registered(releases: DynamoReleases, release: str) -> None:
    record = ReleaseRecord(registered_state(MODEL, release, datetime.now(UTC)), GOOD, BETTER)
    releases.register(record, bundled="0" * 32, data="d1", parent=None)


def test_releases_can_be_read_promoted_rejected_and_rolled_back(site: Site, releases: DynamoReleases):
    evidence = ComparisonsAndHealth()
    registered(releases, FIRST)
    for _ in range(2):
        advance_rollout(MODEL, releases, evidence, evidence, default_gates(), now=datetime.now(UTC))
    canary_model = site.request("GET", f"/v1/models/{MODEL}", role="viewer").json

    promoted = site.request("POST", f"{RELEASES}/{FIRST}/promote", REASON)
    again = site.request("POST", f"{RELEASES}/{FIRST}/promote", REASON)
    registered(releases, SECOND)
    rejected = site.request("POST", f"{RELEASES}/{SECOND}/reject", REASON)
    back = site.request("POST", f"/v1/models/{MODEL}/rollback", REASON)

    assert (canary_model["active"], canary_model["candidate"]["release"]) == ("0" * 32, FIRST)
    shadow, canary = canary_model["releases"][0]["history"]
    assert (shadow["stage"], canary["stage"]) == ("shadow", "canary")
    assert [text.split()[0] for text in canary["reasons"]] == GATES
    assert promoted.json == {"model": MODEL, "stages": {FIRST: "active"}}
    assert rejected.json["stages"] == {SECOND: "rejected"}
    assert (back.json["stages"], again.status) == ({FIRST: "rolled-back"}, 409)
    model = site.request("GET", f"/v1/models/{MODEL}").json
    assert model["active"] == "0" * 32
    ends = {one["id"]: one["history"][-1]["reasons"] for one in model["releases"]}
    assert all(reasons[0].endswith(REASON["reason"]) for reasons in ends.values())
    assert site.request("POST", f"/v1/models/{MODEL}/rollback", REASON).status == 409


def test_releases_of_all_models_are_listed_with_the_active_one(site: Site, releases: DynamoReleases):
    record = ReleaseRecord(registered_state("gates", FIRST, datetime.now(UTC)), GOOD, BETTER)
    releases.register(record, bundled="0" * 32, data="d1", parent=None)

    listed = {one["model"]: one for one in site.request("GET", "/v1/releases", role="viewer").json["items"]}

    assert [one["id"] for one in listed["gates"]["releases"]] == [FIRST]
    assert (listed["faces"]["releases"], len(listed["faces"]["active"])) == ([], 32)


def test_decisions_about_an_unknown_release_get_404(site: Site):
    for decided in ("promote", "reject"):
        assert site.request("POST", f"/v1/models/faces/releases/{'0' * 32}/{decided}", REASON).status == 404


def test_trainings_of_an_unknown_model_get_404(site: Site):
    assert site.request("GET", "/v1/models/nothing/trainings").status == 404
    assert site.request("GET", "/v1/models/faces/trainings").json == {"items": []}


def test_trainings_are_listed_with_their_cost(site: Site):
    jobs = DynamoTrainingJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    spec = TrainingSpec("classifier", MODEL, "d1", "[fit]", None, "image")
    job = new_job(spec, datetime.now(UTC))
    jobs.save(TrainingRun(job, release=FIRST, expected_usd=0.04, max_usd=0.92, cost_usd=0.031, run_s=400.0))

    (model,) = site.request("GET", f"/v1/models/{MODEL}/trainings").json["items"]

    assert model["job"] == job.name
    assert (model["release"], model["usd"]) == (FIRST, 0.031)
    assert (model["expected_usd"], model["max_usd"]) == (0.04, 0.92)


def test_starting_a_training_without_a_training_container_gets_422_with_the_reason(site: Site):
    answer = site.request("POST", f"/v1/models/{MODEL}/trainings", {})

    assert (answer.status, answer.json["reason"]) == (422, "training-unavailable")


def test_a_registered_release_shows_its_reembedding_progress(site: Site, releases: DynamoReleases):
    record = ReleaseRecord(registered_state("doors", FIRST, datetime.now(UTC)), GOOD, BETTER)
    releases.register(record, bundled="0" * 32, data="d1", parent=None)
    state_store = DynamoStateStore(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    progress = {FIRST: ReembeddingProgress(9, 1, 3)}
    save_reembedding_state(state_store, "doors", ReembeddingState({FIRST: "space"}, progress))

    (release,) = site.request("GET", "/v1/models/doors", role="viewer").json["releases"]

    assert release["reembedding"] == {"people": 9, "remaining": 3, "missing_reference": 1}
