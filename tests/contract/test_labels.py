"""Labels and drops as the next data set finds them: what was said, of which sighting, about whom."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.decisions import DynamoDecisions, Overtaken
from cloud.drops import DynamoDrops
from cloud.items import fields, item
from cloud.labels import DynamoLabels
from cloud.ledger import DynamoLedger
from cloud.traces import DynamoTraces
from tests.memory import NOON
from vigil.drops import Drop, Object
from vigil.flow.label import Label, NotToLabel
from vigil.flow.taken import Taken
from vigil.seeing import Scene, Sighting
from vigil.steady.ledger import Claim, Result
from vigil.watch.reviews import Review

PERSON = "p-0123456789ab"


ALERT = {"alert_id": "a1", "drop_id": "d1", "sighting": 2, "model": "faces", "taken_from": "door"}
ALERT |= {"subject_id": PERSON, "subject": PERSON, "rule": "watch"}


def test_a_confirmed_alert_is_a_label_of_its_sighting(table: Any):
    table.put_item(TableName="t", Item=item({"pk": "alert#a1", "sk": "alert"} | ALERT))
    DynamoDecisions(table, "t").keep(ALERT, Review("rita", "confirm", NOON), "confirmed")

    (label,) = DynamoLabels(table, "t").of("faces")

    assert label == Label("d1", "faces", "door", PERSON, "rita", NOON, sighting=2, taken_for=PERSON)


def test_a_label_that_is_somebodys_id_is_found_with_them(table: Any):
    DynamoLabels(table, "t").keep(Label("d1", "faces", "door", PERSON, "rita", NOON))

    row = fields(table.get_item(TableName="t", Key=item({"pk": "label#d1", "sk": "label"}))["Item"])

    assert row["subject"] == PERSON


def test_who_is_being_erased_is_neither_a_label_nor_silent(table: Any):
    table.put_item(TableName="t", Item=item({"pk": "alert#a1", "sk": "alert"} | ALERT))
    DynamoTraces(table, "t", "t").end(PERSON, NOON)

    with pytest.raises(Overtaken):
        DynamoDecisions(table, "t").keep(ALERT, Review("rita", "dismiss", NOON), "dismissed")
    with pytest.raises(NotToLabel):
        DynamoLabels(table, "t").keep(Label("d1", "faces", "door", PERSON, "rita", NOON))

    kept = [fields(row)["pk"].split("#")[0] for row in table.scan(TableName="t")["Items"]]
    assert sorted(kept) == ["alert", "departed"]


def test_a_drop_is_taken_up_with_what_was_seen_and_until_when(table: Any):
    where = Object("photos", "live/faces/door/a.jpg", "v1")
    drop = Drop("d1", "faces", "door", where, NOON)
    ledger = DynamoLedger(table, "t", lane="live", retention=timedelta(days=30))
    claim = ledger.claim(drop, owner="w", now=NOON, until=NOON + timedelta(seconds=20))
    assert isinstance(claim, Claim)
    scene = Scene((Sighting(PERSON, "known", 0.8, box_px=(1, 2, 3, 4), quality=0.9),), found=1)
    ledger.keep(claim, drop, Result(scene, "r1", (), None, {}), now=NOON)

    drops = DynamoDrops(table, "t")

    assert drops.taken("d1") == Taken(where, scene.sightings, NOON + timedelta(days=30))
    assert drops.taken("d2") is None
