"""Labels, reviews and completed drops in the records table, as the next dataset reads them."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.drops import AlertView, DynamoDropReader
from cloud.dynamodb.erasure import DynamoPersonData
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.reviews import DynamoLabels, DynamoReviews
from cloud.dynamodb.schema import ALERT, listing_attributes
from cloud.dynamodb.training_drops import DynamoTrainingDrops
from tests.fakes.memory import NOON
from vigil.alerts.reviews import Review
from vigil.drops.ledger import Lease, ProcessingResult
from vigil.drops.messages import Drop, S3Object
from vigil.errors import ConcurrentUpdate
from vigil.inference.types import Prediction, Sighting
from vigil.training.examples import DropForTraining
from vigil.training.labels import CannotLabel, Label

PERSON = "p-0123456789ab"


def raise_alert(table: Any) -> AlertView:
    """Store one open alert about an enrolled person."""
    attributes = {"alert_id": "a1", "drop_id": "d1", "sighting": 2, "model": "faces", "source": "door"}
    attributes |= {"subject_id": PERSON, "subject": PERSON, "rule": "watch", "severity": "warning"}
    attributes |= {"status": "known", "occurred_at": NOON, "last_at": NOON, "drops": 1, "review": "open"}
    row = to_item(attributes | listing_attributes("alerts", "a1", NOON))
    table.put_item(TableName="t", Item=ALERT.key(alert="a1") | row)
    found = DynamoDropReader(table, "t").find_alert("a1")
    assert found is not None
    return found


def test_a_confirmed_alert_is_a_label_of_its_sighting(table: Any):
    alert = raise_alert(table)
    DynamoReviews(table, "t").save_review(alert, Review("rita", "confirm", NOON), "confirmed")

    (label,) = DynamoLabels(table, "t").for_model("faces")

    assert label == Label("d1", "faces", "door", PERSON, "rita", NOON, sighting=2, predicted_label=PERSON)


def test_a_label_that_is_somebodys_id_is_found_with_them(table: Any):
    DynamoLabels(table, "t").save_label(Label("d1", "faces", "door", PERSON, "rita", NOON))

    row = from_item(table.get_item(TableName="t", Key=to_item({"pk": "label#d1", "sk": "label"}))["Item"])

    assert row["subject"] == PERSON


def test_a_person_being_erased_gets_neither_a_label_nor_a_suppression(table: Any):
    alert = raise_alert(table)
    DynamoPersonData(table, "t", "t").mark_being_erased(PERSON, NOON)

    with pytest.raises(ConcurrentUpdate):
        DynamoReviews(table, "t").save_review(alert, Review("rita", "dismiss", NOON), "dismissed")
    with pytest.raises(CannotLabel):
        DynamoLabels(table, "t").save_label(Label("d1", "faces", "door", PERSON, "rita", NOON))

    row_kinds = [from_item(row)["pk"].split("#")[0] for row in table.scan(TableName="t")["Items"]]
    assert sorted(row_kinds) == ["alert", "erasure"]


def test_a_drop_becomes_a_training_example_with_its_sightings_and_expiry(table: Any):
    where = S3Object("photos", "live/faces/door/a.jpg", "v1")
    drop = Drop("d1", "faces", "door", where, NOON)
    ledger = DynamoLedger(table, "t", faces="faces", lane="live", retention=timedelta(days=30))
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON + timedelta(seconds=20))
    assert isinstance(claim, Lease)
    prediction = Prediction((Sighting(PERSON, "known", 0.8, box_px=(1, 2, 3, 4), quality=0.9),), found=1)
    ledger.save_result(claim, drop, ProcessingResult(prediction, "r1", (), None, {}), now=NOON)

    drops = DynamoTrainingDrops(table, "t")

    assert drops.get_drop("d1") == DropForTraining(where, prediction.sightings, NOON + timedelta(days=30))
    assert drops.get_drop("d2") is None
