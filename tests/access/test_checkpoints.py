"""An end that was cut off the audit log holds in itself, and is missed by the checkpoint outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.audit import DynamoAudit
from cloud.checkpoints import Checkpoints
from cloud.sealing import KmsSeal
from tests.access.test_audit import audit_log
from vigil.access.audit import Checkpoint, Head, chain_of, falls_short, first_broken
from vigil.access.roles import Caller
from vigil.access.seals import Forged

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Caller("ada", "reviewer")
CHAIN = chain_of(ADA.id)


@dataclass(frozen=True)
class Office:
    dynamodb: Any
    s3: Any
    log: DynamoAudit
    checkpoints: Checkpoints

    def enter(self, entries: int) -> None:
        for _ in range(entries):
            self.log.append(ADA, "get-person", {"person": "p-1"}, NOW)

    def checkpoint(self) -> bool:
        return self.checkpoints.put(Checkpoint(NOW, self.log.heads()))

    def found(self) -> Any:
        anchor = self.checkpoints.newest()
        assert anchor is not None
        links = max((list(chain) for chain in self.log.chains()), key=len)
        assert first_broken(links) is None
        return falls_short(CHAIN, [mark for _, mark in links], anchor.heads[CHAIN])


@pytest.fixture
def office(aws: Callable[[str], Any]) -> Office:
    dynamodb, s3, kms = aws("dynamodb"), aws("s3"), aws("kms")
    s3.create_bucket(Bucket="store", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    return Office(dynamodb, s3, audit_log(dynamodb), Checkpoints(s3, "store", KmsSeal(kms, key)))


def test_a_log_that_nobody_touched_is_the_one_that_the_checkpoint_knows(office: Office):
    office.enter(3)
    office.checkpoint()
    office.enter(2)

    assert office.found() is None


def test_an_end_that_was_cut_off_is_missed(office: Office):
    office.enter(5)
    office.checkpoint()
    for number in (4, 5):
        office.dynamodb.delete_item(TableName="audit", Key={"pk": {"S": CHAIN}, "number": {"N": str(number)}})

    assert (office.found().number, office.found().why) == (4, "is missing: a checkpoint knows 5 entries")


def test_a_log_that_was_written_anew_is_not_the_one_that_the_checkpoint_knows(office: Office):
    office.enter(2)
    office.checkpoint()
    for number in (1, 2):
        office.dynamodb.delete_item(TableName="audit", Key={"pk": {"S": CHAIN}, "number": {"N": str(number)}})
    other = DynamoAudit(office.dynamodb, "audit")
    for _ in range(3):
        other.append(ADA, "get-drop", {}, NOW + timedelta(hours=1))

    assert office.found().number == 2


def test_the_newest_is_found_and_nothing_new_makes_none(office: Office):
    assert office.checkpoints.newest() is None
    kept = []
    for entries in (1, 0, 11):
        office.enter(entries)
        kept.append(office.checkpoint())

    newest = office.checkpoints.newest()

    assert kept == [True, False, True]
    assert newest is not None
    assert newest.heads[CHAIN].number == 12


def test_one_that_was_changed_or_put_in_anothers_place_is_not_believed(office: Office):
    office.enter(1)
    office.checkpoint()
    (first,) = office.s3.list_objects_v2(Bucket="store")["Contents"]
    body = office.s3.get_object(Bucket="store", Key=first["Key"])["Body"].read()
    for forged in (body.replace(b'\\"heads\\"', b'\\"Heads\\"'), body):
        office.s3.put_object(Bucket="store", Key="audit/0000000000000001.json", Body=forged)

        with pytest.raises(Forged):
            office.checkpoints.newest()


def test_an_empty_chain_falls_short_of_nothing():
    assert falls_short("c", [], Head()) is None
