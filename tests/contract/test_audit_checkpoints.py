"""An end that was cut off the audit log holds in itself, and is missed by the checkpoint outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cloud.dynamodb.audit_log import DynamoAuditLog
from cloud.kms import KmsMac
from cloud.s3.audit_checkpoints import S3AuditCheckpoints
from functions import audit_checkpoint
from functions.runtime import handler
from tests.contract.test_audit_log import audit_log
from vigil.access.audit import (
    AuditCheckpoint,
    ChainHead,
    chain_for,
    find_difference,
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

    def delete_entries(self, *numbers: int) -> None:
        for number in numbers:
            self.dynamodb.delete_item(
                TableName="audit", Key={"pk": {"S": CHAIN}, "number": {"N": str(number)}}
            )

    def run(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """One run of the scheduled function, with the value of its metric."""
        counted: dict[str, int] = {}
        fake = SimpleNamespace(
            clock=lambda: NOW,
            audit_log=self.log,
            audit_checkpoints=self.checkpoints,
            metrics=SimpleNamespace(count=counted.__setitem__, flush=lambda: None),
            logger=SimpleNamespace(error=lambda *_, **__: None),
            deadline=SimpleNamespace(begin=lambda _: None),
        )
        monkeypatch.setattr(audit_checkpoint, "container", lambda: fake)
        monkeypatch.setattr(handler, "container", lambda: fake)
        event = dict.fromkeys(
            ("version", "account", "region", "detail", "detail-type", "source", "time", "id"), ""
        )
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 50_000)
        answer: dict[str, Any] = audit_checkpoint.on_audit_checkpoint(event | {"resources": []}, context)
        return answer | {"broken": counted["AuditLogBroken"]}

    def verify(self) -> Any:
        anchor = self.checkpoints.read_latest()
        assert anchor is not None
        links = max((list(chain) for chain in self.log.read_chains()), key=len)
        assert find_first_break(links) is None
        head = anchor.heads[CHAIN]
        return find_difference(
            CHAIN, head, self.log.read_hashes([(CHAIN, head.number)]).get((CHAIN, head.number))
        )


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
    office.delete_entries(4, 5)

    assert (office.verify().number, office.verify().reason) == (5, "is missing, and a checkpoint knows it")


def test_a_log_that_was_cut_off_is_not_sealed_again(office: AuditSystem, monkeypatch: pytest.MonkeyPatch):
    office.append_entries(5)
    sealed = office.run(monkeypatch)
    office.delete_entries(4, 5)
    cut = office.run(monkeypatch)
    DynamoAuditLog(office.dynamodb, "audit").append(ADA, "get-drop", {}, NOW + timedelta(hours=1))
    shorter = office.run(monkeypatch)
    for _ in range(4):
        DynamoAuditLog(office.dynamodb, "audit").append(ADA, "get-drop", {}, NOW + timedelta(hours=1))
    longer = office.run(monkeypatch)

    assert (sealed["stored"], sealed["problems"], sealed["broken"]) == (True, [], 0)
    assert [one["stored"] for one in (cut, shorter, longer)] == [False] * 3
    assert [one["broken"] for one in (cut, shorter, longer)] == [1] * 3
    assert "entry 5 is not the one that a checkpoint knows" in longer["problems"][0]
    assert len(office.checkpoints.list_keys(limit=10)) == 1


def test_an_entry_that_was_changed_since_the_last_checkpoint_is_not_sealed(
    office: AuditSystem, monkeypatch: pytest.MonkeyPatch
):
    office.append_entries(2)
    office.run(monkeypatch)
    office.append_entries(2)
    office.dynamodb.update_item(
        TableName="audit",
        Key={"pk": {"S": CHAIN}, "number": {"N": "3"}},
        UpdateExpression="SET caller = :caller",
        ExpressionAttributeValues={":caller": {"S": "bob"}},
    )

    assert office.run(monkeypatch) == {
        "stored": False,
        "problems": [f"{CHAIN}: entry 3 was changed"],
        "broken": 1,
    }


def test_a_checkpoint_that_was_changed_is_followed_by_no_other(
    office: AuditSystem, monkeypatch: pytest.MonkeyPatch
):
    office.append_entries(1)
    office.run(monkeypatch)
    office.s3.put_object(Bucket="store", Key="audit/0000000000000001.json", Body=b"[]")
    office.append_entries(1)

    assert office.run(monkeypatch)["broken"] == 1


def test_untouched_chains_are_sealed_again_and_again(office: AuditSystem, monkeypatch: pytest.MonkeyPatch):
    stored = []
    for entries in (0, 1, 0, 3):
        office.append_entries(entries)
        stored.append(office.run(monkeypatch))

    assert [one["stored"] for one in stored] == [True, True, False, True]
    assert [one["problems"] for one in stored] == [[]] * 4
    assert len(office.checkpoints.list_keys(limit=10)) == 3


def test_a_log_that_was_written_anew_is_not_the_one_that_the_checkpoint_knows(office: AuditSystem):
    office.append_entries(2)
    office.write_checkpoint()
    office.delete_entries(1, 2)
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
    assert find_difference("c", ChainHead(), None) is None
