"""Two releases of a model and the drops between them: answered, compared, and never lost."""

from dataclasses import dataclass, field, replace

import pytest

from tests.fakes.memory import FakeModel
from tests.unit.drops.test_process import (
    PREDICTION,
    drop,
    invocation,
    ledger,
    processing_ports,
)
from vigil.drops.messages import Drop
from vigil.drops.process import ProcessingPorts, process_drop
from vigil.errors import BrokenRelease, Transient
from vigil.inference.types import Models
from vigil.releases.health import HealthSample
from vigil.releases.shadow import ReleaseAssignment, ShadowComparison


@dataclass
class FixedRouter:
    """Port Trials, with a cast that is given."""

    assignment: ReleaseAssignment
    comparisons: list[ShadowComparison] = field(default_factory=list)
    health_samples: list[HealthSample] = field(default_factory=list)
    unavailable: bool = False

    def assign(self, drop: Drop, models: Models) -> ReleaseAssignment:
        return self.assignment

    def save_comparison(self, comparison: ShadowComparison) -> None:
        if self.unavailable:
            raise Transient("the table is away", dependency="records", operation="save comparison")
        self.comparisons.append(comparison)

    def record_health(self, sample: HealthSample) -> None:
        self.health_samples.append(sample)


def raise_broken_release() -> None:
    raise BrokenRelease("the network does not answer")


def model(release: str, *, broken: bool = False) -> FakeModel:
    one = FakeModel(PREDICTION, release=release)
    return replace(one, before_predict=raise_broken_release) if broken else one


def ports_with_router(router: FixedRouter) -> ProcessingPorts:
    return replace(processing_ports(), router=router)


def test_a_shadow_sees_the_drop_and_changes_nothing():
    stage = FixedRouter(ReleaseAssignment(model("a"), model("b"), "b"))
    w = ports_with_router(stage)

    verdict = process_drop(drop(), w, invocation())

    assert (verdict.outcome, verdict.release, verdict.alerts) == ("done", "a", 1)
    assert [(one.release, one.agreed, one.failed) for one in stage.comparisons] == [("b", True, False)]


def test_a_shadow_that_breaks_harms_nobody():
    stage = FixedRouter(ReleaseAssignment(model("a"), model("b", broken=True), "b"))

    verdict = process_drop(drop(), ports_with_router(stage), invocation())

    assert (verdict.outcome, verdict.release) == ("done", "a")
    assert [one.failed for one in stage.comparisons] == [True]
    assert [(one.release, one.failed) for one in stage.health_samples] == [("a", False)]


def test_a_canary_answers_and_is_compared():
    stage = FixedRouter(ReleaseAssignment(model("b"), model("a"), "b"))

    verdict = process_drop(drop(), ports_with_router(stage), invocation())

    assert verdict.release == "b"
    assert [(one.release, one.agreed) for one in stage.comparisons] == [("b", True)]
    assert not stage.health_samples


def test_for_a_canary_that_breaks_the_active_release_answers_at_once():
    stage = FixedRouter(ReleaseAssignment(model("b", broken=True), model("a"), "b"))
    w = ports_with_router(stage)

    verdict = process_drop(drop(), w, invocation())

    assert (verdict.outcome, verdict.release) == ("done", "a")
    assert ledger(w).records["d1"].state == "done"
    assert [(one.release, one.failed, one.failed_active) for one in stage.comparisons] == [("b", True, False)]


def test_an_active_release_that_breaks_is_noted_and_the_drop_tried_again():
    stage = FixedRouter(ReleaseAssignment(model("a", broken=True)))
    w = ports_with_router(stage)

    with pytest.raises(BrokenRelease):
        process_drop(drop(), w, invocation())

    assert [(one.release, one.failed) for one in stage.comparisons] == [("a", True)]
    assert [(one.release, one.failed) for one in stage.health_samples] == [("a", True)]
    stage.assignment = ReleaseAssignment(model("before"))
    assert process_drop(drop(), w, invocation("w2")).release == "before"


def test_a_shadow_never_answers_even_for_an_active_release_that_breaks():
    stage = FixedRouter(ReleaseAssignment(model("a", broken=True), model("b"), "b"))

    with pytest.raises(BrokenRelease):
        process_drop(drop(), ports_with_router(stage), invocation())

    assert [(one.release, one.failed_active) for one in stage.comparisons] == [("b", True)]


def test_what_cannot_be_noted_fails_no_drop():
    stage = FixedRouter(ReleaseAssignment(model("a"), model("b"), "b"), unavailable=True)

    assert process_drop(drop(), ports_with_router(stage), invocation()).outcome == "done"
