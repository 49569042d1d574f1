"""Two releases of a model and the drops between them: answered, compared, and never lost."""

from dataclasses import dataclass, field, replace

import pytest

from tests.flows.test_process import SEEN, drop, ledger, shift, world
from tests.memory import Eye
from vigil.drops import Drop
from vigil.errors import BrokenRelease, Transient
from vigil.flow.process import World, process
from vigil.flow.trial import Cast
from vigil.learn.trial import Trial
from vigil.learn.vitals import Vital
from vigil.seeing import Models


@dataclass
class Stage:
    """Port Trials, with a cast that is given."""

    given: Cast
    kept: list[Trial] = field(default_factory=list)
    watched: list[Vital] = field(default_factory=list)
    away: bool = False

    def cast(self, drop: Drop, models: Models) -> Cast:
        return self.given

    def keep(self, trial: Trial) -> None:
        if self.away:
            raise Transient("the table is away")
        self.kept.append(trial)

    def watch(self, vital: Vital) -> None:
        self.watched.append(vital)


def breaks() -> None:
    raise BrokenRelease("the network does not answer")


def eye(release: str, *, broken: bool = False) -> Eye:
    one = Eye(SEEN, release=release)
    return replace(one, before=breaks) if broken else one


def on(stage: Stage) -> World:
    return replace(world(), trials=stage)


def test_a_shadow_sees_the_drop_and_changes_nothing():
    stage = Stage(Cast(eye("a"), eye("b"), "b"))
    w = on(stage)

    verdict = process(drop(), w, shift())

    assert (verdict.outcome, verdict.release, verdict.alerts) == ("done", "a", 1)
    assert [(one.release, one.agreed, one.failed) for one in stage.kept] == [("b", True, False)]


def test_a_shadow_that_breaks_harms_nobody():
    stage = Stage(Cast(eye("a"), eye("b", broken=True), "b"))

    verdict = process(drop(), on(stage), shift())

    assert (verdict.outcome, verdict.release) == ("done", "a")
    assert [one.failed for one in stage.kept] == [True]
    assert [(one.release, one.broke) for one in stage.watched] == [("a", False)]


def test_a_canary_answers_and_is_compared():
    stage = Stage(Cast(eye("b"), eye("a"), "b"))

    verdict = process(drop(), on(stage), shift())

    assert verdict.release == "b"
    assert [(one.release, one.agreed) for one in stage.kept] == [("b", True)]
    assert not stage.watched


def test_for_a_canary_that_breaks_the_active_release_answers_at_once():
    stage = Stage(Cast(eye("b", broken=True), eye("a"), "b"))
    w = on(stage)

    verdict = process(drop(), w, shift())

    assert (verdict.outcome, verdict.release) == ("done", "a")
    assert ledger(w).records["d1"].state == "done"
    assert [(one.release, one.failed, one.failed_other) for one in stage.kept] == [("b", True, False)]


def test_an_active_release_that_breaks_is_noted_and_the_drop_tried_again():
    stage = Stage(Cast(eye("a", broken=True)))
    w = on(stage)

    with pytest.raises(BrokenRelease):
        process(drop(), w, shift())

    assert [(one.release, one.failed) for one in stage.kept] == [("a", True)]
    assert [(one.release, one.broke) for one in stage.watched] == [("a", True)]
    stage.given = Cast(eye("before"))
    assert process(drop(), w, shift("w2")).release == "before"


def test_a_shadow_never_answers_even_for_an_active_release_that_breaks():
    stage = Stage(Cast(eye("a", broken=True), eye("b"), "b"))

    with pytest.raises(BrokenRelease):
        process(drop(), on(stage), shift())

    assert [(one.release, one.failed_other) for one in stage.kept] == [("b", True)]


def test_what_cannot_be_noted_fails_no_drop():
    stage = Stage(Cast(eye("a"), eye("b"), "b"), away=True)

    assert process(drop(), on(stage), shift()).outcome == "done"
