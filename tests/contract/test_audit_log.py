"""The audit log: what is written stays, and whoever changes it is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.dynamodb.audit_log import DynamoAuditLog
from vigil.access.audit import AuditEntry, ChainBreak, ChainHead, chain_for, find_first_break
from vigil.access.roles import Caller

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Caller("ada", "reviewer")


def chain(length: int) -> list[tuple[AuditEntry, str]]:
    head, links = ChainHead(), []
    for number in range(1, length + 1):
        at = NOW + timedelta(seconds=number)
        entry = AuditEntry(
            "c", number, at, "ada", "reviewer", "get-person", {"person": f"p-{number}"}, head.entry_hash
        )
        head = ChainHead(number, entry.entry_hash)
        links.append((entry, entry.entry_hash))
    return links


@given(st.integers(0, 12))
def test_a_chain_that_nobody_touched_is_whole(length: int):
    assert find_first_break(chain(length)) is None


@given(st.integers(1, 12), st.data())
def test_the_first_link_that_was_changed_is_named(length: int, data: st.DataObject):
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    entry, mark = links[place]
    links[place] = replace(entry, resource_ids={"person": "p-other"}), mark

    assert find_first_break(links) == ChainBreak("c", place + 1, "was changed")


@given(st.integers(2, 12), st.data())
def test_a_link_that_was_taken_out_is_missed(length: int, data: st.DataObject):
    links = chain(length)
    place = data.draw(st.integers(0, length - 2))
    del links[place]

    assert find_first_break(links) == ChainBreak("c", place + 1, "is missing")


@given(st.integers(2, 12), st.data())
def test_a_link_that_was_changed_with_its_mark_no_longer_holds_the_next(length: int, data: st.DataObject):
    links = chain(length)
    place = data.draw(st.integers(0, length - 2))
    changed = replace(links[place][0], caller="eve")
    links[place] = changed, changed.entry_hash

    assert find_first_break(links) == ChainBreak("c", place + 2, "does not follow from the one before it")


@pytest.fixture
def log(aws: Callable[[str], Any]) -> DynamoAuditLog:
    return audit_log(aws("dynamodb"))


def audit_log(client: Any) -> DynamoAuditLog:
    client.create_table(
        TableName="audit",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
    )
    return DynamoAuditLog(client, "audit")


def test_acts_are_read_back_as_they_were_written(log: DynamoAuditLog):
    written = [log.append(ADA, "get-person", {"person": f"p-{n}"}, NOW) for n in range(3)]

    read = [entry for links in log.read_chains() for entry, _ in links]

    assert read == written


def test_the_newest_entries_of_a_chain_are_read_below_a_number(log: DynamoAuditLog):
    written = [log.append(ADA, "get-person", {"person": f"p-{n}"}, NOW) for n in range(4)]

    newest = log.newest_entries(chain_for("ada"), before=4, page_size=2)

    assert list(newest) == written[2::-1]


def test_two_functions_that_write_at_once_make_one_chain(log: DynamoAuditLog, aws: Callable[[str], Any]):
    other = DynamoAuditLog(aws("dynamodb"), "audit")
    for _ in range(3):
        log.append(ADA, "get-person", {}, NOW)
        other.append(ADA, "list-alerts", {}, NOW)

    chains = [list(links) for links in log.read_chains()]

    assert [find_first_break(links) for links in chains] == [None] * len(chains)
    assert sorted(len(links) for links in chains)[-1] == 6


def test_a_row_that_was_changed_in_the_table_is_found(log: DynamoAuditLog, aws: Callable[[str], Any]):
    for _ in range(3):
        log.append(ADA, "review-alert", {"alert": "a"}, NOW)
    aws("dynamodb").update_item(
        TableName="audit",
        Key={"pk": {"S": chain_for("ada")}, "number": {"N": "2"}},
        UpdateExpression="SET operation = :operation",
        ExpressionAttributeValues={":operation": {"S": "get-health"}},
    )

    broken = [link for links in log.read_chains() if (link := find_first_break(links))]

    assert broken == [ChainBreak(chain_for("ada"), 2, "was changed")]
