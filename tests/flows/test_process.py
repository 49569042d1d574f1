"""The way of one drop, told by the ledger."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.memory import NOON, Eye, Hands, MemoryLedger, MemoryObjects, OneModel
from vigil.drops import Drop, Inline, Misfit, Object
from vigil.errors import DamagedRelease, MalformedMessage, Transient
from vigil.flow.process import Busy, Hurried, Shift, World, process
from vigil.seeing import Model, Scene, Sighting
from vigil.steady.degrade import Step
from vigil.steady.fingerprint import fingerprint
from vigil.steady.ledger import LeaseLost
from vigil.steady.record import Record
from vigil.watch.rules import default_watch, read_watch

PHOTO = Object("photos", "live/eye/vault/a.jpg", "v1")
SEEN = Scene((Sighting("p-1", "known", 0.9, tags=frozenset({"watch"})),), found=1)
LEASE = timedelta(seconds=20)


def world(eye: Eye | None = None) -> World:
    objects = MemoryObjects({(PHOTO.key, "v1"): b"photo"})
    return World(MemoryLedger(), objects, OneModel(eye or Eye(SEEN)), default_watch, Hands())


def ledger(world: World) -> MemoryLedger:
    assert isinstance(world.ledger, MemoryLedger)
    return world.ledger


def clock(world: World) -> Hands:
    assert isinstance(world.clock, Hands)
    return world.clock


def shift(owner: str = "w1", at: Hands | None = None) -> Shift:
    return Shift(owner, (at or Hands())() + LEASE, LEASE)


def drop(origin: Object | Inline = PHOTO, model: str = "eye", ident: str = "d1") -> Drop:
    return Drop(ident, model, "vault", origin, NOON)


def test_a_drop_is_done_with_its_sightings_and_alerts():
    w = world()

    verdict = process(drop(), w, shift())

    assert (verdict.outcome, verdict.sightings, verdict.alerts) == ("done", 1, 1)
    assert ledger(w).records["d1"].state == "done"
    assert ledger(w).sightings == {"d1": SEEN.sightings}


def test_a_drop_delivered_five_times_is_done_once():
    w = world()

    outcomes = [process(drop(), w, shift(f"w{n}")).outcome for n in range(5)]

    assert outcomes == ["done"] + ["duplicate"] * 4
    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_stages_are_timed():
    verdict = process(drop(), world(), shift())

    assert verdict.times_ms is not None
    assert set(verdict.times_ms) == {"claim", "read", "look", "judge", "keep"}


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (drop(Object("photos", "live/eye/vault/gone.jpg", "v1")), "object-gone"),
        (drop(Object("photos", "live/eye/vault/film.mp4", "v1")), "wrong-type"),
        (drop(Inline(b"x" * 1001)), "object-too-large"),
        (drop(model="ear"), "unknown-model"),
        (Misfit("d1", None, NOON, MalformedMessage("no")), "malformed-message"),
    ],
)
def test_bad_input_is_rejected_with_its_reason_and_never_again(arrival: Drop | Misfit, reason: str):
    w = world()

    first, second = process(arrival, w, shift()), process(arrival, w, shift("w2"))

    assert (first.outcome, first.reason, second.outcome) == ("rejected", reason, "duplicate")
    assert ledger(w).records["d1"].reason == reason


def test_a_failure_that_may_pass_lets_the_lease_go_and_tells_where_it_failed():
    def fail() -> None:
        raise Transient("store away")

    w = world(Eye(SEEN, before=fail))

    with pytest.raises(Transient):
        process(drop(), w, shift())

    record = ledger(w).records["d1"]
    assert (record.state, record.stage, record.error) == ("claimed", "look", "Transient: store away")
    assert record.until == NOON


def test_every_failure_that_may_pass_is_kept_under_its_familys_name():
    class Stale(Transient):
        pass

    def fail() -> None:
        raise Stale("of another embedding")

    w = world(Eye(SEEN, before=fail))

    with pytest.raises(Stale):
        process(drop(), w, shift())

    assert ledger(w).records["d1"].error == "Transient: of another embedding"


def test_the_next_attempt_takes_it_up():
    failures = iter([True, False])

    def fail_once() -> None:
        if next(failures):
            raise ZeroDivisionError

    w = world(Eye(SEEN, before=fail_once))
    with pytest.raises(ZeroDivisionError):
        process(drop(), w, shift())

    verdict = process(drop(), w, shift("w2"))

    assert (verdict.outcome, verdict.attempt) == ("done", 2)


def test_a_drop_in_other_hands_is_left_there_until_the_lease_ends():
    w = world()
    ledger(w).claim(drop(), owner="other", now=NOON, until=NOON + LEASE)

    with pytest.raises(Busy) as busy:
        process(drop(), w, shift())

    assert busy.value.until == NOON + LEASE


def test_a_worker_that_died_holds_a_drop_no_longer_than_its_lease():
    w = world()
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON + LEASE)
    clock(w).move(20)

    verdict = process(drop(), w, shift("w2", clock(w)))

    assert (verdict.outcome, verdict.attempt) == ("done", 2)


def test_a_worker_that_slept_past_its_lease_keeps_nothing():
    w = world()

    def sleep_and_be_overtaken() -> None:
        w.models.get("eye").before = lambda: None  # type: ignore[attr-defined]
        clock(w).move(30)
        process(drop(), w, shift("w2", clock(w)))

    w.models.get("eye").before = sleep_and_be_overtaken  # type: ignore[attr-defined]

    with pytest.raises(LeaseLost):
        process(drop(), w, shift("w1"))

    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_a_slow_drop_renews_its_lease_but_never_past_its_workers_end():
    w = world()
    w.models.get("eye").before = lambda: clock(w).move(12)  # type: ignore[attr-defined]

    process(drop(), w, Shift("w1", NOON + timedelta(seconds=25), LEASE))

    assert ledger(w).records["d1"].until == NOON + timedelta(seconds=25)


def test_a_second_attempt_notes_every_stage_it_enters():
    w = world()
    w.models.get("eye").before = lambda: seen.append(ledger(w).records["d1"].stage)  # type: ignore[attr-defined]
    seen: list[str] = []
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON)

    process(drop(), w, shift("w2"))

    assert seen == ["look"]


def test_a_stranger_seen_by_two_drops_at_once_is_one_alert():
    vector = np.array([1, 0], np.float32)
    face = Sighting("unknown", "unknown", vector=vector, same_as=0.9)
    w = world(Eye(Scene((face,), 1)))
    other = replace(drop(Inline(b"x")), id="d2")
    recall = ledger(w).strangers

    def recall_while_another_commits(source: str, window: str) -> object:
        strangers = recall(source, window)
        if "d2" not in ledger(w).records:
            process(other, w, shift("w2"))
        return strangers

    ledger(w).strangers = recall_while_another_commits  # type: ignore[method-assign, assignment]

    process(drop(Inline(b"x")), w, shift())

    assert [count for _, count in ledger(w).alerts.values()] == [2]


def test_what_is_given_up_under_strain_is_asked_of_the_model_and_noted_on_the_drop():
    eye = Eye(SEEN)
    step = Step("landmarks-once", put={"landmarks": "once"})
    w = replace(world(eye), relief=lambda: (step,))

    process(drop(), w, shift())

    result = ledger(w).records["d1"].result
    assert result is not None
    assert (eye.asked, result.scene.notes) == ([{"landmarks": "once"}], {"degraded": "landmarks-once"})


def test_a_frame_left_out_of_a_burst_is_done_unread_and_says_so():
    eye = Eye(SEEN)
    watch = read_watch('[sources."vault*"]\noptions = { burst = true }')
    w = replace(world(eye), watch=lambda: watch, relief=lambda: (Step("bursts-sampled", keep_one_in=2),))

    process(drop(ident="02"), w, shift())
    unread = replace(w, objects=MemoryObjects({}))

    verdict = process(drop(ident="01"), unread, shift())

    result = ledger(w).records["01"].result
    assert result is not None
    assert (verdict.outcome, verdict.sightings, len(eye.asked)) == ("done", 0, 1)
    assert result.scene.notes == {"degraded": "bursts-sampled"}


def test_after_a_first_frame_that_cannot_be_seen_the_next_of_the_burst_is_looked_at():
    eye = Eye(SEEN)
    watch = read_watch('[sources."vault*"]\noptions = { burst = true }')
    w = replace(world(eye), watch=lambda: watch, relief=lambda: (Step("bursts-sampled", keep_one_in=2),))

    first = process(drop(Object("b", "gone.jpg", "v1"), ident="02"), w, shift())
    process(drop(ident="01"), w, shift())

    assert (first.outcome, len(eye.asked)) == ("rejected", 1)


def test_the_canary_is_recorded_and_raises_no_alert():
    w = world()

    verdict = process(replace(drop(), source="canary"), w, shift())

    assert (verdict.outcome, verdict.sightings, verdict.alerts) == ("done", 1, 0)


def test_the_source_asks_its_model_for_what_it_wants():
    eye = Eye(SEEN)
    w = world(eye)

    process(drop(), w, shift())

    assert eye.asked == [{}]


def test_a_drop_is_not_begun_where_it_would_be_killed_with_its_batch():
    w = world()

    with pytest.raises(Hurried):
        process(drop(), w, Shift("w1", NOON + LEASE / 2 - timedelta(seconds=1), LEASE))

    assert ledger(w).records == {}
    assert process(drop(), w, Shift("w2", NOON + LEASE / 2, LEASE)).outcome == "done"


def test_a_damaged_release_is_located_in_the_ledger_and_no_drop_is_to_blame():
    w = world()
    damage = DamagedRelease("face-embed", "0123456789abcdef", "model.onnx")

    class Damaged:
        def get(self, name: str) -> Model:
            raise damage

    with pytest.raises(DamagedRelease):
        process(drop(), replace(w, models=Damaged()), shift())

    record = ledger(w).records["d1"]
    mark = fingerprint(Record("d1", record.state, 1, NOON, record.stage, record.error, record.release))
    assert (record.state, mark.release, mark.kind) == ("claimed", damage.release, "DamagedRelease")
    assert mark.message == "face-embed/model.onnx of release <id> is damaged"
    assert mark.may_pass
    assert process(drop(), w, shift("another")).outcome == "done"
