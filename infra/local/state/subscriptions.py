"""SNS: who is subscribed to a topic, under the same ARN as before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.sns.models import SNSBackend, Subscription, Topic

from infra.local.state.store import Store

_KIND = "subscriptions"
_SET = ("FilterPolicyScope", "FilterPolicy", "RawMessageDelivery")
"""What moto looks at, in the order in which it must be set."""


def keep(store: Store) -> None:
    """From here on, in this process."""
    SNSBackend.subscribe = _subscribed(SNSBackend.subscribe, store)  # type: ignore[method-assign]
    SNSBackend.set_subscription_attributes = _set(SNSBackend.set_subscription_attributes, store)  # type: ignore[method-assign]
    SNSBackend.unsubscribe = _left(SNSBackend.unsubscribe, store)  # type: ignore[method-assign]
    SNSBackend.create_topic = _made(SNSBackend.create_topic, store)  # type: ignore[method-assign]


def _write(one: Subscription, store: Store) -> None:
    kept = {"topic": one.topic.arn, "endpoint": one.endpoint, "protocol": one.protocol}
    store.put(_KIND, one.arn, {**kept, "attributes": one.attributes})


def _subscribed(subscribe: Callable[..., Subscription], store: Store) -> Callable[..., Subscription]:
    @wraps(subscribe)
    def subscribed(backend: SNSBackend, *arguments: Any, **named: Any) -> Subscription:
        one = subscribe(backend, *arguments, **named)
        _write(one, store)
        return one

    return subscribed


def _set(change: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(change)
    def changed(backend: SNSBackend, arn: str, name: str, value: Any) -> None:
        change(backend, arn, name, value)
        _write(backend.subscriptions[arn], store)

    return changed


def _left(leave: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(leave)
    def left(backend: SNSBackend, subscription_arn: str) -> None:
        leave(backend, subscription_arn)
        store.delete(_KIND, subscription_arn)

    return left


def _made(make: Callable[..., Topic], store: Store) -> Callable[..., Topic]:
    @wraps(make)
    def made(backend: SNSBackend, *arguments: Any, **named: Any) -> Topic:
        topic = make(backend, *arguments, **named)
        for arn, kept in store.all(_KIND):
            if kept["topic"] == topic.arn and arn not in backend.subscriptions:
                _put_back(backend, topic, arn, kept)
        return topic

    return made


def _put_back(backend: SNSBackend, topic: Topic, arn: str, kept: dict[str, Any]) -> None:
    one = Subscription(backend.account_id, topic, kept["endpoint"], kept["protocol"])
    one.arn, one.attributes = arn, kept["attributes"]
    backend.subscriptions[arn] = one
    for name in _SET:
        if one.attributes.get(name):
            backend.set_subscription_attributes(arn, name, one.attributes[name])
