"""What every ledger promises: the one in memory and the one in DynamoDB."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.erasure import DynamoPersonData
from cloud.dynamodb.ledger import DynamoLedger
from tests.fakes.memory import NOON, MemoryLedger
from tests.unit.drops.test_select_alerts import CAPACITY, CROWD
from tests.unit.drops.test_select_alerts import alerts as crowd_alerts
from vigil.alerts.alert import create_alert
from vigil.alerts.rules import default_rules
from vigil.alerts.unknown_subjects import UnknownSubjects, assign_subject
from vigil.drops.ledger import (
    MAX_LEASE,
    AlreadyCompleted,
    Lease,
    LeaseHeld,
    LeaseLost,
    Ledger,
    ProcessingResult,
    SubjectBeingErased,
)
from vigil.drops.messages import (
    Drop,
    InlinePayload,
    InvalidMessage,
    S3Object,
)
from vigil.drops.process import select_alerts
from vigil.errors import ConcurrentUpdate, MalformedMessage
from vigil.inference.types import Prediction, Sighting
from vigil.people.person import ErasureReceipt

DROP = Drop("d1", "faces", "vault", S3Object("photos", "live/faces/vault/a b.jpg", "v1"), NOON)
LATER = NOON + timedelta(seconds=20)
KNOWN_SIGHTING = Sighting("p-1", "known", 0.81, 0.4, (1.0, 2.0, 3.5, 4.0), 0.9, tags=frozenset({"watch"}))
RULE = default_rules().rules[0]


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest, table: Any) -> Ledger:
    return MemoryLedger() if request.param == "memory" else dynamo_ledger(table)


def dynamo_ledger(client: Any) -> DynamoLedger:
    return DynamoLedger(client, "t", faces="faces", lane="live", retention=timedelta(days=90))


def rows(client: Any) -> dict[tuple[str, str], dict[str, Any]]:
    found = [from_item(row) for row in client.scan(TableName="t")["Items"]]
    return {(row["pk"], row["sk"]): row for row in found}


def claim_drop(ledger: Ledger, owner: str = "w1", drop: Drop | InvalidMessage = DROP) -> Lease:
    claim = ledger.claim(drop, owner=owner, now=NOON, until=LATER)
    assert isinstance(claim, Lease)
    return claim


def result(*alerts: Any, strangers: Any = None) -> ProcessingResult:
    scene = Prediction(
        (KNOWN_SIGHTING, Sighting("unknown", "unknown")), found=3, size_px=(640, 480), notes={"detect": "640"}
    )
    return ProcessingResult(scene, "r1", alerts, strangers, {"read": 1.5})


def test_a_new_drop_is_claimed(ledger: Ledger):
    assert ledger.claim(DROP, owner="w1", now=NOON, until=LATER) == Lease("d1", "w1", 1, LATER)


def test_a_claimed_drop_is_held(ledger: Ledger):
    claim_drop(ledger)

    assert ledger.claim(DROP, owner="w2", now=NOON, until=LATER) == LeaseHeld(LATER)


def test_a_lease_that_ended_is_anybodys(ledger: Ledger):
    claim_drop(ledger)

    claim = ledger.claim(DROP, owner="w2", now=LATER, until=LATER + timedelta(seconds=1))

    assert claim == Lease("d1", "w2", 2, LATER + timedelta(seconds=1))


def test_a_renewed_lease_is_held_for_longer(ledger: Ledger):
    claim = ledger.renew(claim_drop(ledger), stage="predict", until=LATER + timedelta(seconds=9))

    assert ledger.claim(DROP, owner="w2", now=LATER, until=LATER) == LeaseHeld(claim.until)


def test_a_lease_let_go_is_free_at_once(ledger: Ledger):
    ledger.release_lease(
        claim_drop(ledger), stage="predict", error="Transient: away", dependency="records", now=NOON
    )

    assert isinstance(ledger.claim(DROP, owner="w2", now=NOON, until=LATER), Lease)


def test_letting_go_of_a_lost_lease_is_no_error_and_changes_nothing(ledger: Ledger):
    lost = claim_drop(ledger)
    ledger.claim(DROP, owner="w2", now=LATER, until=LATER + timedelta(seconds=20))

    ledger.release_lease(lost, stage="predict", error="slow", dependency="model", now=LATER)

    assert isinstance(ledger.claim(DROP, owner="w3", now=LATER, until=LATER), LeaseHeld)


def test_a_saved_result_completes_the_drop(ledger: Ledger):
    ledger.save_result(claim_drop(ledger), DROP, result(), now=NOON)

    assert ledger.claim(DROP, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("done")


def test_a_result_without_sightings_is_saved_without_the_double_price_of_a_transaction(table: Any):
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html"""
    calls: list[str] = []
    table.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    ledger, empty = dynamo_ledger(table), ProcessingResult(Prediction((), 0), "r1", (), None, {})
    lease = claim_drop(ledger)

    ledger.save_result(lease, DROP, empty, now=NOON)

    assert "TransactWriteItems" not in calls
    assert ledger.claim(DROP, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("done")
    with pytest.raises(LeaseLost):
        ledger.save_result(lease, DROP, empty, now=NOON)


def test_a_lease_longer_than_any_can_be_is_free(ledger: Ledger):
    ledger.claim(DROP, owner="astray", now=NOON, until=NOON + 2 * MAX_LEASE)

    assert isinstance(ledger.claim(DROP, owner="w2", now=NOON, until=LATER), Lease)


def test_what_is_quarantined_is_settled(ledger: Ledger):
    ledger.quarantine(claim_drop(ledger), reason="kills-workers", message="died", stage="predict", now=NOON)

    assert ledger.claim(DROP, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("quarantined")


def test_what_is_rejected_is_settled(ledger: Ledger):
    ledger.reject(claim_drop(ledger), reason="empty-file", message="no bytes", stage="read", now=NOON)

    assert ledger.claim(DROP, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("rejected")


@pytest.mark.parametrize("deed", ["renew", "keep", "reject", "quarantine"])
def test_who_lost_the_lease_can_write_nothing(ledger: Ledger, deed: str):
    lost = claim_drop(ledger)
    ledger.claim(DROP, owner="w2", now=LATER, until=LATER + timedelta(seconds=20))
    deeds = {
        "renew": lambda: ledger.renew(lost, stage="predict", until=LATER),
        "keep": lambda: ledger.save_result(lost, DROP, result(), now=LATER),
        "reject": lambda: ledger.reject(lost, reason="x", message="x", stage="x", now=LATER),
        "quarantine": lambda: ledger.quarantine(lost, reason="x", message="x", stage="x", now=LATER),
    }

    with pytest.raises(LeaseLost):
        deeds[deed]()


def test_a_result_is_saved_once(ledger: Ledger):
    claim = claim_drop(ledger)
    ledger.save_result(claim, DROP, result(), now=NOON)

    with pytest.raises(LeaseLost):
        ledger.save_result(claim, DROP, result(), now=NOON)


def test_unknown_subjects_are_read_as_they_were_saved(ledger: Ledger):
    vector = np.array([0.6, 0.8], np.float32)
    _, strangers = assign_subject(
        ledger.unknown_subjects("vault", "w"), vector, same_subject_threshold=0.9, new_id="s1"
    )

    ledger.save_result(claim_drop(ledger), DROP, result(strangers=strangers), now=NOON)

    stored = ledger.unknown_subjects("vault", "w")
    assert (stored.ids, stored.revision) == (("s1",), 1)
    np.testing.assert_allclose(stored.vectors, [vector], atol=1e-3)


def test_a_face_is_compared_with_the_newest_subjects_of_a_window(table: Any):
    ledger, many = dynamo_ledger(table), UnknownSubjects.MAX_SUBJECTS
    vectors = np.eye(many + 20, 512, dtype=np.float32)
    ids = tuple(f"unknown-{n:016}-{n:03}" for n in range(many + 20))
    for first in range(0, many + 20, 40):
        now = NOON + timedelta(seconds=first)
        drop = Drop(f"d{first}", "faces", "vault", InlinePayload(b""), now)
        new = ids[first : first + 40]
        seen = UnknownSubjects("vault", "w", first // 40, new, vectors[first : first + 40], 0.5, new_ids=new)
        ledger.save_result(claim_drop(ledger, drop=drop), drop, result(strangers=seen), now=now)

    stored = ledger.unknown_subjects("vault", "w")
    assert (stored.ids, stored.revision) == (ids[20:], 8)
    np.testing.assert_array_equal(stored.vectors, vectors[20:])


def test_a_frame_without_a_new_subject_writes_nothing_about_the_window(table: Any):
    ledger, vector = dynamo_ledger(table), np.array([0.6, 0.8], np.float32)
    before = ledger.unknown_subjects("vault", "w")
    _, first = assign_subject(before, vector, same_subject_threshold=0.9, new_id="s1")
    ledger.save_result(claim_drop(ledger), DROP, result(strangers=first), now=NOON)
    written = table.scan(TableName="faces")["Items"]
    again = Drop("d2", "faces", "vault", InlinePayload(b""), NOON)

    ident, same = assign_subject(
        ledger.unknown_subjects("vault", "w"), vector, same_subject_threshold=0.9, new_id="s2"
    )
    ledger.save_result(claim_drop(ledger, drop=again), again, result(strangers=same), now=LATER)

    assert ident == "s1"
    assert table.scan(TableName="faces")["Items"] == written
    assert len(written) == 2, "the subject and the revision of its window"
    assert "vectors" not in str(table.scan(TableName="t")["Items"]), "the stream has no face"


def test_a_concurrent_change_of_unknown_subjects_cancels_the_whole_result(ledger: Ledger):
    before = ledger.unknown_subjects("vault", "w")
    vector = np.array([0.6, 0.8], np.float32)
    other = Drop("d2", "faces", "vault", InlinePayload(b""), NOON)
    _, first = assign_subject(before, vector, same_subject_threshold=0.9, new_id="s1")
    ledger.save_result(claim_drop(ledger, drop=other), other, result(strangers=first), now=NOON)
    claim = claim_drop(ledger)

    with pytest.raises(ConcurrentUpdate):
        ledger.save_result(claim, DROP, result(strangers=first), now=NOON)

    assert ledger.claim(DROP, owner="w2", now=NOON, until=LATER) == LeaseHeld(LATER)


@pytest.mark.parametrize("kind", ["memory", "dynamodb"])
def test_no_write_that_names_a_person_succeeds_after_their_erasure_has_begun(kind: str, table: Any):
    ledger: Any = MemoryLedger() if kind == "memory" else dynamo_ledger(table)
    person = "p-0123456789ab"
    shown = ProcessingResult(
        Prediction((Sighting("unknown", "unknown"), Sighting(person, "known")), 2), "r1", (), None, {}
    )
    claim = claim_drop(ledger)
    if isinstance(ledger, MemoryLedger):
        ledger.being_erased.add(person)
    else:
        DynamoPersonData(table, "t", "t").mark_being_erased(person, NOON)

    with pytest.raises(SubjectBeingErased):
        ledger.save_result(claim, DROP, shown, now=NOON)

    assert ledger.claim(DROP, owner="w2", now=NOON, until=LATER) == LeaseHeld(LATER)
    assert person not in str(rows(table))


def test_a_misfit_can_be_claimed_and_rejected_like_a_drop(ledger: Ledger):
    misfit = InvalidMessage("m1", None, NOON, MalformedMessage("no"))

    ledger.reject(
        claim_drop(ledger, drop=misfit), reason="malformed-message", message="no", stage="claim", now=NOON
    )

    assert ledger.claim(misfit, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("rejected")


def test_dynamodb_holds_what_a_reader_may_ask_for(table: Any):
    ledger = dynamo_ledger(table)
    raised = create_alert(RULE, DROP, 0, subject="p-1", status="known")

    ledger.save_result(claim_drop(ledger), DROP, result(raised), now=NOON)

    found = rows(table)
    kept, seen, told = (
        found["drop#d1", "drop"],
        found["drop#d1", "sighting#000"],
        found[f"alert#{raised.id}", "alert"],
    )
    assert (kept["state"], kept["release"], kept["found"], kept["sightings"]) == ("done", "r1", 3, 2)
    assert kept["object"] == "s3://photos/live/faces/vault/a b.jpg"
    assert (seen["label"], seen["score"], seen["box_px"]) == ("p-1", 0.81, [1.0, 2.0, 3.5, 4.0])
    assert (told["rule"], told["drops"], told["review"]) == ("watch-listed", 1, "open")
    assert not any("vector" in row for row in found.values())


def test_an_alert_raised_by_two_drops_is_counted_and_not_raised_again(table: Any):
    ledger = dynamo_ledger(table)
    other = Drop("d2", "faces", "vault", InlinePayload(b""), NOON + timedelta(seconds=1))
    for drop in (DROP, other):
        raised = create_alert(RULE, drop, 0, subject="p-1", status="known")
        ledger.save_result(claim_drop(ledger, drop=drop), drop, result(raised), now=NOON)

    told = rows(table)[f"alert#{raised.id}", "alert"]

    assert (told["drops"], told["drop_id"]) == (2, "d1")


def test_a_new_claim_removes_the_error_of_the_attempt_before(table: Any):
    ledger = dynamo_ledger(table)
    ledger.release_lease(
        claim_drop(ledger), stage="predict", error="E: x", dependency="model", now=NOON, release="r1"
    )
    failed = rows(table)["drop#d1", "drop"]
    claim_drop(ledger, "w2")
    taken_up = rows(table)["drop#d1", "drop"]

    assert (failed["error"], failed["dependency"]) == ("E: x", "model")
    assert (failed["stage"], failed["release"]) == ("predict", "r1")
    assert not {"error", "dependency"} & taken_up.keys()


def test_rows_survive_the_way_to_attribute_values_and_back():
    row = {"a": 1, "b": -2.5, "c": "x", "d": b"y", "e": [1, {"f": True}], "g": frozenset({"h"}), "z": 1e-7}

    assert from_item(to_item(row | {"none": None, "empty": frozenset()})) == row


def test_a_save_has_room_for_fewer_alerts_beside_more_sightings_and_people(ledger: Ledger):
    few = Prediction((KNOWN_SIGHTING,), found=1)

    assert ledger.alert_capacity(CROWD) == CAPACITY
    assert ledger.alert_capacity(few) > ledger.alert_capacity(CROWD)


def test_many_sightings_are_saved_in_one_transaction(table: Any):
    ledger = dynamo_ledger(table)
    alerts = select_alerts(crowd_alerts(), ledger.alert_capacity(CROWD), "0f")

    ledger.save_result(claim_drop(ledger), DROP, ProcessingResult(CROWD, "r1", alerts, None, {}), now=NOON)

    kinds = [sk.split("#")[0] for _, sk in rows(table)]
    assert (kinds.count("sighting"), kinds.count("alert")) == (40, 17)


def test_a_receipt_can_be_had_again_and_names_nobody(table: Any):
    traces = DynamoPersonData(table, "t", "t")
    erased = ErasureReceipt("p-0123456789ab", NOON, 4, {"photos": 1, "sightings": 3})
    traces.mark_being_erased(erased.person, NOON)

    assert traces.find_receipt(erased.person) is None
    traces.save_receipt(erased)
    assert traces.find_receipt(erased.person) == erased
    assert erased.person not in str(rows(table))


def test_the_ledger_stores_the_version_that_was_read(table: Any):
    item = S3Object("photos", "live/faces/vault/a.jpg")
    job = Drop("d9", "faces", "vault", item, NOON)
    claim = claim_drop(dynamo_ledger(table), drop=job)

    read = replace(job, payload=replace(item, version="v7"))
    dynamo_ledger(table).save_result(claim, read, result(), now=NOON)

    assert rows(table)["drop#d9", "drop"]["s3_object"]["version"] == "v7"
