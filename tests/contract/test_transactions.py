"""Transactions on moto: done at once, where nothing in them can fail half way."""

from collections.abc import Sequence
from inspect import unwrap
from typing import Any

import pytest
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends

from infra.local.moto_tables import at_once

CHECK = {
    "ConditionCheck": {
        "TableName": "t",
        "Key": {"pk": {"S": "departed"}, "sk": {"S": "departed"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
}
PUT = {"Put": {"TableName": "t", "Item": {"pk": {"S": "drop"}, "sk": {"S": "drop"}}}}


def backend() -> DynamoDBBackend:
    found: DynamoDBBackend = dynamodb_backends["123456789012"]["eu-west-1"]
    return found


def test_a_check_that_holds_costs_no_copy_of_the_table(table: Any):
    copied: list[Sequence[Any]] = []

    at_once(lambda _, items: copied.append(items))(backend(), [PUT, CHECK])

    assert copied == []
    assert table.get_item(TableName="t", Key=PUT["Put"]["Item"])["Item"] == PUT["Put"]["Item"]


def test_a_check_that_does_not_hold_is_refused_in_motos_own_words_and_costs_no_copy_either(table: Any):
    table.put_item(TableName="t", Item=CHECK["ConditionCheck"]["Key"])
    copied: list[Sequence[Any]] = []
    with pytest.raises(TransactionCanceledException) as slow:
        unwrap(DynamoDBBackend.transact_write_items)(backend(), [PUT, CHECK])

    with pytest.raises(TransactionCanceledException) as fast:
        at_once(lambda _, items: copied.append(items))(backend(), [PUT, CHECK])

    assert fast.value.description == slow.value.description
    assert copied == []
    assert "Item" not in table.get_item(TableName="t", Key=PUT["Put"]["Item"])


@pytest.mark.parametrize(
    "writes",
    [
        [PUT, {"Delete": {"TableName": "t", "Key": CHECK["ConditionCheck"]["Key"]}}],
        [{"Put": PUT["Put"] | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}],
        [PUT, PUT],
    ],
    ids=["a-delete", "a-row-to-be-seen", "one-row-twice"],
)
def test_what_is_not_plain_is_left_to_moto(table: Any, writes: list[Any]):
    asked: list[Sequence[Any]] = []

    at_once(lambda _, items: asked.append(items))(backend(), writes)

    assert asked == [writes]
