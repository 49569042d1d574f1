"""Two releases of a model on the same drops: one answers, both are compared, and no drop is lost."""

from dataclasses import dataclass, replace

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
from vigil.drops.prediction import PredictionFailed, ReleaseAssignment
from vigil.drops.process import DropResult, ProcessingPorts, process_drop
from vigil.errors import BrokenRelease
from vigil.releases.health import HealthSample
from vigil.releases.shadow import ShadowComparison, comparison_of, health_sample_of


@dataclass
class FixedRouter:
    """Port ReleaseRouter with a given assignment."""

    assignment: ReleaseAssignment

    def assign(self, drop: Drop) -> ReleaseAssignment:
        return self.assignment


def raise_broken_release() -> None:
    raise BrokenRelease("the network does not answer")


def model(release: str, *, broken: bool = False) -> FakeModel:
    one = FakeModel(PREDICTION, release=release)
    return replace(one, before_predict=raise_broken_release) if broken else one


def ports_with(assignment: ReleaseAssignment) -> ProcessingPorts:
    return replace(processing_ports(), router=FixedRouter(assignment))


def comparison(result: DropResult | PredictionFailed) -> ShadowComparison | None:
    assert result.outputs is not None
    return comparison_of(drop(), result.outputs)


def health(result: DropResult | PredictionFailed) -> HealthSample | None:
    assert result.outputs is not None
    return health_sample_of(drop(), result.outputs)


def failure(assignment: ReleaseAssignment) -> PredictionFailed:
    with pytest.raises(PredictionFailed) as raised:
        process_drop(drop(), ports_with(assignment), invocation())
    return raised.value


def test_a_single_release_is_compared_with_nothing():
    result = process_drop(drop(), ports_with(ReleaseAssignment(model("a"))), invocation())

    sample = health(result)
    assert comparison(result) is None
    assert sample is not None
    assert (sample.release, sample.failed, sample.nothing_recognised) == ("a", False, False)


def test_a_release_in_shadow_is_compared_and_changes_nothing():
    result = process_drop(drop(), ports_with(ReleaseAssignment(model("a"), model("b"), "b")), invocation())

    found = comparison(result)
    assert (result.outcome, result.release, result.alerts) == ("done", "a", 1)
    assert found is not None
    assert (found.release, found.agreed, found.failed) == ("b", True, False)


def test_a_release_in_shadow_runs_after_the_result_is_saved():
    ports = processing_ports()
    states: list[str] = []
    shadow = replace(model("b"), before_predict=lambda: states.append(ledger(ports).records["d1"].state))
    router = FixedRouter(ReleaseAssignment(model("a"), shadow, "b"))

    process_drop(drop(), replace(ports, router=router), invocation())

    assert states == ["done"]


def test_a_failure_in_shadow_does_not_affect_the_drop():
    assignment = ReleaseAssignment(model("a"), model("b", broken=True), "b")

    result = process_drop(drop(), ports_with(assignment), invocation())

    found, sample = comparison(result), health(result)
    assert (result.outcome, result.release) == ("done", "a")
    assert found is not None
    assert found.failed
    assert sample is not None
    assert (sample.release, sample.failed) == ("a", False)


def test_a_canary_answers_and_is_compared():
    result = process_drop(drop(), ports_with(ReleaseAssignment(model("b"), model("a"), "b")), invocation())

    found = comparison(result)
    assert result.release == "b"
    assert found is not None
    assert (found.release, found.agreed) == ("b", True)
    assert health(result) is None


def test_the_active_release_answers_for_a_canary_that_fails():
    ports = ports_with(ReleaseAssignment(model("b", broken=True), model("a"), "b"))

    result = process_drop(drop(), ports, invocation())

    found = comparison(result)
    assert (result.outcome, result.release) == ("done", "a")
    assert ledger(ports).records["d1"].state == "done"
    assert found is not None
    assert (found.release, found.failed, found.failed_active) == ("b", True, False)


def test_a_failure_of_the_active_release_is_reported_and_the_drop_is_retried():
    ports = ports_with(ReleaseAssignment(model("a", broken=True)))

    with pytest.raises(PredictionFailed) as raised:
        process_drop(drop(), ports, invocation())

    found, sample = comparison(raised.value), health(raised.value)
    assert found is not None
    assert sample is not None
    assert (found.release, found.failed) == ("a", True)
    assert (sample.release, sample.failed) == ("a", True)
    assert ledger(ports).records["d1"].error == "BrokenRelease: the network does not answer"
    retry = replace(ports, router=FixedRouter(ReleaseAssignment(model("before"))))
    assert process_drop(drop(), retry, invocation("w2")).release == "before"


def test_a_release_in_shadow_does_not_answer_for_an_active_release_that_fails():
    found = comparison(failure(ReleaseAssignment(model("a", broken=True), model("b"), "b")))

    assert found is not None
    assert (found.release, found.failed_active) == ("b", True)


def test_a_drop_is_retried_if_canary_and_active_release_fail():
    found = comparison(failure(ReleaseAssignment(model("b", broken=True), model("a", broken=True), "b")))

    assert found is not None
    assert (found.release, found.failed, found.failed_active) == ("b", True, True)
