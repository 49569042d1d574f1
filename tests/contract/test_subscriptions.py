"""Whose a subscription is, which SNS does not know, is remembered beside it."""

from collections.abc import Callable
from typing import Any

from cloud.subscriptions import Subscriptions

FILTER = {"type": ["vigil.alert.raised"]}


def subscriptions(aws: Callable[[str], Any]) -> Subscriptions:
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName="callers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    topic = aws("sns").create_topic(Name="events")["TopicArn"]
    return Subscriptions(aws("sns"), topic, dynamodb=dynamodb, table="callers")


def test_each_is_among_those_of_its_maker_alone(aws: Callable[[str], Any]):
    kept = subscriptions(aws)

    one = kept.add("https://a.example/1", FILTER, owner="ann")
    two = kept.add("https://a.example/2", FILTER, owner="ann")

    assert (kept.of("ann"), kept.of("bob")) == (frozenset({one, two}), frozenset())
    assert kept.read(one) == ("https://a.example/1", FILTER)


def test_one_that_has_ended_is_nobodys(aws: Callable[[str], Any]):
    kept = subscriptions(aws)
    one = kept.add("https://a.example/1", FILTER, owner="ann")

    kept.remove(one, owner="ann")

    assert (kept.of("ann"), kept.read(one), list(kept.every())) == (frozenset(), None, [])
