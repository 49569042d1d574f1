"""Writes to DynamoDB that are throttled, that meet other transactions, and that AWS refuses as wrong.

moto answers none of these; the errors are those of the API reference.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.profiles import DynamoProfiles
from cloud.dynamodb.queries import Table
from cloud.errors import MAX_CONFLICT_ATTEMPTS, max_pause_s
from tests.contract.test_ledger import DROP, LATER, claim_drop, dynamo_ledger, result
from tests.fakes.aws import RefusingClient, cancelled_transaction, client_error
from tests.fakes.memory import NOON
from vigil.drops.ledger import AlreadyCompleted, Lease, LeaseLost
from vigil.errors import ConcurrentUpdate, NoDependencyFailed, RefusedRequest, Transient
from vigil.people.person import Person

ROW = to_item({"pk": "a", "sk": "b"})
CHANGE = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": to_item({":a": 1})}
CONFLICT = cancelled_transaction("None", "TransactionConflict")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which do not take place."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_throttled_result_is_a_failure_of_the_records_and_not_repeated_at_once(
    table: Any, pauses: list[float], reason: str
):
    claim = claim_drop(dynamo_ledger(table))
    client = RefusingClient(table, "transact_write_items", cancelled_transaction("None", reason))

    with pytest.raises(Transient) as failure:
        dynamo_ledger(client).save_result(claim, DROP, result(), now=NOON)

    assert (failure.value.dependency, pauses) == ("records", [])


def test_a_conflict_with_a_throttled_write_is_throttled(table: Any):
    error = cancelled_transaction("TransactionConflict", "ThrottlingError")

    with pytest.raises(Transient) as failure:
        Table(RefusingClient(table, "transact_write_items", error), "t").transact([], "write")

    assert failure.value.dependency == "records"


def test_a_failed_condition_outlasts_a_conflict(table: Any):
    claim = claim_drop(dynamo_ledger(table))
    error = cancelled_transaction("ConditionalCheckFailed", "TransactionConflict")

    with pytest.raises(LeaseLost):
        dynamo_ledger(RefusingClient(table, "transact_write_items", error)).save_result(
            claim, DROP, result(), now=NOON
        )


def test_a_result_that_meets_other_transactions_is_saved_after_growing_pauses(
    table: Any, pauses: list[float]
):
    claim = claim_drop(dynamo_ledger(table))
    client = RefusingClient(table, "transact_write_items", CONFLICT, CONFLICT, CONFLICT)

    dynamo_ledger(client).save_result(claim, DROP, result(), now=NOON)

    assert dynamo_ledger(table).claim(DROP, owner="w2", now=LATER, until=LATER) == AlreadyCompleted("done")
    assert len(pauses) == 3
    assert all(took <= max_pause_s(number) for number, took in enumerate(pauses, 1))


def test_a_conflict_without_end_is_given_back_to_the_queue_and_counted_against_nothing(
    table: Any, pauses: list[float]
):
    claim = claim_drop(dynamo_ledger(table))
    client = RefusingClient(table, "transact_write_items", *[CONFLICT] * MAX_CONFLICT_ATTEMPTS)

    with pytest.raises(NoDependencyFailed) as failure:
        dynamo_ledger(client).save_result(claim, DROP, result(), now=NOON)

    assert not isinstance(failure.value, ConcurrentUpdate), "nothing repeats it at once"
    assert (len(pauses), client.errors) == (MAX_CONFLICT_ATTEMPTS - 1, [])


@pytest.mark.parametrize("code", ["TransactionConflictException", "TransactionInProgressException"])
@pytest.mark.parametrize(
    ("operation", "write"),
    [
        ("put_item", lambda rows: rows.put(ROW, "put")),
        ("put_item", lambda rows: rows.put_new(ROW, "put")),
        ("delete_item", lambda rows: rows.delete(ROW, "delete")),
        ("update_item", lambda rows: rows.update(ROW, "update", **CHANGE)),
        ("update_item", lambda rows: rows.update_if(ROW, "update", **CHANGE)),
        ("transact_write_items", lambda rows: rows.transact([rows.put_write(ROW)], "write")),
    ],
)
def test_every_write_waits_for_a_transaction_on_its_row(
    table: Any, pauses: list[float], code: str, operation: str, write: Callable[[Table], Any]
):
    write(Table(RefusingClient(table, operation, client_error(code)), "t"))

    assert len(pauses) == 1


def test_a_claim_waits_for_a_transaction_on_its_row(table: Any, pauses: list[float]):
    client = RefusingClient(table, "update_item", client_error("TransactionConflictException"))

    assert isinstance(dynamo_ledger(client).claim(DROP, owner="w", now=NOON, until=LATER), Lease)
    assert len(pauses) == 1


def test_a_throttled_change_of_a_person_does_not_say_that_the_name_is_taken(table: Any):
    client = RefusingClient(table, "transact_write_items", cancelled_transaction("ThrottlingError", "None"))

    with pytest.raises(Transient) as failure:
        DynamoProfiles(client, "t").create(Person("p-1", "Ada"), NOON)

    assert failure.value.dependency == "people"


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("put_item", client_error("ValidationException")),
        ("transact_write_items", cancelled_transaction("ValidationError", "None")),
    ],
)
def test_a_request_that_dynamodb_refuses_as_wrong_is_a_bug(table: Any, operation: str, error: ClientError):
    rows = Table(RefusingClient(table, operation, error), "t")

    with pytest.raises(RefusedRequest):
        rows.put(ROW, "put") if operation == "put_item" else rows.transact([rows.put_write(ROW)], "write")


def test_rows_that_dynamodb_left_unprocessed_are_written_after_a_pause(table: Any, pauses: list[float]):
    class Throttled:
        def __init__(self) -> None:
            self.times = 0

        def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 - the name of AWS
            self.times += 1
            return {"UnprocessedItems": RequestItems if self.times < 3 else {}}

    Table(Throttled(), "t").batch_put([ROW], "put")

    assert len(pauses) == 2
