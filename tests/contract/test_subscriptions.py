"""Whose a subscription is, which SNS does not know, is remembered beside it."""

from collections.abc import Callable
from typing import Any

from cloud.sns import SnsSubscriptions

FILTER = {"type": ["vigil.alert.raised"]}


def subscriptions(aws: Callable[[str], Any]) -> SnsSubscriptions:
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName="callers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    topic = aws("sns").create_topic(Name="events")["TopicArn"]
    return SnsSubscriptions(aws("sns"), topic, dynamodb=dynamodb, table="callers")


def test_each_is_among_those_of_its_maker_alone(aws: Callable[[str], Any]):
    kept = subscriptions(aws)

    one = kept.add("https://a.example/1", FILTER, owner="ann")
    two = kept.add("https://a.example/2", FILTER, owner="ann")

    assert (kept.owned_by("ann"), kept.owned_by("bob")) == (frozenset({one, two}), frozenset())
    assert kept.get(one) == ("https://a.example/1", FILTER)


def test_one_that_has_ended_is_nobodys(aws: Callable[[str], Any]):
    kept = subscriptions(aws)
    one = kept.add("https://a.example/1", FILTER, owner="ann")

    kept.remove(one, owner="ann")

    assert (kept.owned_by("ann"), kept.get(one), list(kept.list_all())) == (frozenset(), None, [])
