"""Whose a subscription is, which SNS does not know, is remembered beside it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.sns.models import sns_backends

from cloud.sns import SnsSubscriptions, SubscriptionPending

FILTER = {"type": ["vigil.alert.raised"]}
DEAD_LETTERS = "arn:aws:sqs:eu-west-1:123456789012:dead"


def subscriptions(aws: Callable[[str], Any]) -> SnsSubscriptions:
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName="callers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    topic = aws("sns").create_topic(Name="events")["TopicArn"]
    return SnsSubscriptions(aws("sns"), topic, dead_letters=DEAD_LETTERS, dynamodb=dynamodb, table="callers")


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


def test_events_that_an_endpoint_does_not_accept_go_to_a_queue(aws: Callable[[str], Any]):
    kept = subscriptions(aws)

    kept.add("https://a.example/1", FILTER, owner="ann")

    (one,) = sns_backends["123456789012"]["eu-west-1"].subscriptions.values()
    assert json.loads(one.attributes["RedrivePolicy"]) == {"deadLetterTargetArn": DEAD_LETTERS}


def test_one_that_is_not_confirmed_stays_its_owners_because_sns_cannot_end_it(aws: Callable[[str], Any]):
    """moto confirms and ends every subscription; SNS does neither."""
    kept = subscriptions(aws)
    one = kept.add("https://a.example/1", FILTER, owner="ann")
    for held in sns_backends["123456789012"]["eu-west-1"].subscriptions.values():
        held.attributes["PendingConfirmation"] = "true"

    with pytest.raises(SubscriptionPending):
        kept.remove(one, owner="ann")

    assert kept.owned_by("ann") == frozenset({one})
