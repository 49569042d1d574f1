"""An end that was cut off the audit log holds in itself, and is missed by the checkpoint outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.dynamodb.audit_log import DynamoAuditLog
from cloud.kms import KmsMac
from cloud.s3.audit_checkpoints import S3AuditCheckpoints
from tests.contract.test_audit_log import audit_log
from vigil.access.audit import (
    AuditCheckpoint,
    ChainHead,
    chain_for,
    compare_with_checkpoint,
    find_first_break,
)
from vigil.access.roles import Caller
from vigil.access.signing import InvalidSignature

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Caller("ada", "reviewer")
CHAIN = chain_for(ADA.id)


@dataclass(frozen=True)
class AuditSystem:
    dynamodb: Any
    s3: Any
    log: DynamoAuditLog
    checkpoints: S3AuditCheckpoints

    def append_entries(self, entries: int) -> None:
        for _ in range(entries):
            self.log.append(ADA, "get-person", {"person": "p-1"}, NOW)

    def write_checkpoint(self) -> bool:
        return self.checkpoints.save(AuditCheckpoint(NOW, self.log.read_heads()))

    def verify(self) -> Any:
        anchor = self.checkpoints.read_latest()
        assert anchor is not None
        links = max((list(chain) for chain in self.log.read_chains()), key=len)
        assert find_first_break(links) is None
        return compare_with_checkpoint(CHAIN, [mark for _, mark in links], anchor.heads[CHAIN])


@pytest.fixture
def office(aws: Callable[[str], Any]) -> AuditSystem:
    dynamodb, s3, kms = aws("dynamodb"), aws("s3"), aws("kms")
    s3.create_bucket(Bucket="store", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    return AuditSystem(dynamodb, s3, audit_log(dynamodb), S3AuditCheckpoints(s3, "store", KmsMac(kms, key)))


def test_a_log_that_nobody_touched_is_the_one_that_the_checkpoint_knows(office: AuditSystem):
    office.append_entries(3)
    office.write_checkpoint()
    office.append_entries(2)

    assert office.verify() is None


def test_an_end_that_was_cut_off_is_missed(office: AuditSystem):
    office.append_entries(5)
    office.write_checkpoint()
    for number in (4, 5):
        office.dynamodb.delete_item(TableName="audit", Key={"pk": {"S": CHAIN}, "number": {"N": str(number)}})

    assert (office.verify().number, office.verify().reason) == (4, "is missing: a checkpoint knows 5 entries")


def test_a_log_that_was_written_anew_is_not_the_one_that_the_checkpoint_knows(office: AuditSystem):
    office.append_entries(2)
    office.write_checkpoint()
    for number in (1, 2):
        office.dynamodb.delete_item(TableName="audit", Key={"pk": {"S": CHAIN}, "number": {"N": str(number)}})
    other = DynamoAuditLog(office.dynamodb, "audit")
    for _ in range(3):
        other.append(ADA, "get-drop", {}, NOW + timedelta(hours=1))

    assert office.verify().number == 2


def test_the_newest_is_found_and_nothing_new_makes_none(office: AuditSystem):
    assert office.checkpoints.read_latest() is None
    kept = []
    for entries in (1, 0, 11):
        office.append_entries(entries)
        kept.append(office.write_checkpoint())

    newest = office.checkpoints.read_latest()

    assert kept == [True, False, True]
    assert newest is not None
    assert newest.heads[CHAIN].number == 12


def test_one_that_was_changed_or_put_in_anothers_place_is_not_believed(office: AuditSystem):
    office.append_entries(1)
    office.write_checkpoint()
    (first,) = office.s3.list_objects_v2(Bucket="store")["Contents"]
    body = office.s3.get_object(Bucket="store", Key=first["Key"])["Body"].read()
    for forged in (body.replace(b'\\"heads\\"', b'\\"Heads\\"'), body):
        office.s3.put_object(Bucket="store", Key="audit/0000000000000001.json", Body=forged)

        with pytest.raises(InvalidSignature):
            office.checkpoints.read_latest()


def test_an_empty_chain_falls_short_of_nothing():
    assert compare_with_checkpoint("c", [], ChainHead()) is None
