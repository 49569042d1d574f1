"""What active releases show sends them back, whoever asks; asked twice, it is one step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.fakes.memory import NOON
from vigil.releases.gates import default_gates
from vigil.releases.health import ExpectedHealth, HealthCounts
from vigil.releases.lifecycle import ReleasePointers, ReleaseState
from vigil.releases.rollout import ModelReleases, ReleaseRecord, RolloutChange, advance_rollout
from vigil.releases.shadow import ShadowComparison
from vigil.statistics import Interval

GOOD = Interval(0.97, 0.95, 0.99, 300)
PREVIOUS = ReleaseRecord(ReleaseState("digits", "a", "retired", NOON), GOOD)
CURRENT = ReleaseRecord(ReleaseState("digits", "b", "active", NOON), GOOD)
CANDIDATE = ReleaseRecord(ReleaseState("digits", "c", "shadow", NOON), GOOD)
ACTIVE = ReleasePointers("b", previous="a", expected=ExpectedHealth(latency_ms=20.0, unrecognised_share=0.1))
LATER = NOON + timedelta(minutes=5)


@dataclass
class MemoryReleases:
    """Ports Lives, Shows and Watched."""

    releases: ModelReleases
    comparisons: list[ShadowComparison] = field(default_factory=list)
    health_counts: list[HealthCounts] = field(default_factory=list)
    saved_changes: int = 0

    def read_releases(self, model: str) -> ModelReleases:
        return self.releases

    def save_change(self, releases: ModelReleases, change: RolloutChange) -> None:
        lives = {life.release: life for life in change.states}
        standings = (replace(one, state=lives.get(one.state.release, one.state)) for one in releases.records)
        self.releases = ModelReleases(
            releases.model, change.pointers, releases.revision + 1, tuple(standings)
        )
        self.saved_changes += 1

    def comparisons_since(self, model: str, release: str, since: datetime) -> Sequence[ShadowComparison]:
        return [trial for trial in self.comparisons if trial.release == release]

    def latest_counts(self, model: str, release: str, since: datetime) -> Iterable[HealthCounts]:
        return self.health_counts


def advance(repository: MemoryReleases) -> dict[str, str]:
    lives = advance_rollout("digits", repository, repository, repository, default_gates(), now=LATER)
    return {life.release: life.stage for life in lives}


def failed_comparison(drop: str) -> ShadowComparison:
    return ShadowComparison("digits", "b", drop, False, True, False, 5.0, 0.0)


def test_a_failing_active_release_is_rolled_back_once_for_repeated_requests():
    shelf = MemoryReleases(
        ModelReleases("digits", ACTIVE, 1, (PREVIOUS, CURRENT)),
        [failed_comparison(f"d{n}") for n in range(3)],
    )

    first, second = advance(shelf), advance(shelf)

    assert first == {"b": "rolled-back", "a": "active"}
    assert (second, shelf.saved_changes, shelf.releases.pointers) == ({}, 1, ReleasePointers("a"))


def test_repeated_failures_on_one_drop_count_once():
    shelf = MemoryReleases(
        ModelReleases("digits", ACTIVE, 1, (PREVIOUS, CURRENT)), [failed_comparison("d1")] * 5
    )

    assert advance(shelf) == {}


def test_failures_during_a_comparison_with_the_candidate_count():
    beside = [ShadowComparison("digits", "c", f"d{n}", False, False, True, 5.0, 0.0) for n in range(3)]
    shelf = MemoryReleases(
        ModelReleases(
            "digits", replace(ACTIVE, candidate="c", shadow_share=0.5), 1, (PREVIOUS, CURRENT, CANDIDATE)
        ),
        beside,
    )

    assert advance(shelf) == {"b": "rolled-back", "a": "active", "c": "rejected"}


def test_slow_drops_cause_a_rollback_with_a_recorded_reason():
    shelf = MemoryReleases(
        ModelReleases("digits", ACTIVE, 1, (PREVIOUS, CURRENT)),
        health_counts=[HealthCounts(30, slow=30), HealthCounts(samples=500)],
    )

    assert advance(shelf) == {"b": "rolled-back", "a": "active"}
    (gone,) = (one.state for one in shelf.releases.records if one.state.release == "b")
    assert gone.history[-1].reasons == ("slow on 30 of 30 drops; 20 ms in canary",)


def test_health_is_not_read_without_a_previous_release():
    shelf = MemoryReleases(
        ModelReleases("digits", ReleasePointers("b"), 1, (CURRENT,)),
        [failed_comparison(f"d{n}") for n in range(3)],
    )

    assert advance(shelf) == {}


def test_a_release_that_is_not_ready_waits_and_a_ready_one_is_tried_first():
    waiting = [ReleaseRecord(ReleaseState("digits", name, "registered", NOON), GOOD) for name in ("d", "e")]
    shelf = MemoryReleases(ModelReleases("digits", ReleasePointers("b"), 1, (CURRENT, *waiting)))

    none = advance_rollout(
        "digits", shelf, shelf, shelf, default_gates(), now=LATER, is_ready=lambda _: False
    )
    one = advance_rollout(
        "digits", shelf, shelf, shelf, default_gates(), now=LATER, is_ready=lambda name: name == "e"
    )

    assert (none, [(life.release, life.stage) for life in one]) == ((), [("e", "shadow")])
