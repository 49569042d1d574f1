"""SNS: who is subscribed to a topic, under the same ARN as before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.sns.models import SNSBackend, Subscription, Topic

from infra.local.persistence.store import StateStore

_SUBSCRIPTION_KIND = "subscriptions"
_RESTORED_ATTRIBUTES = ("FilterPolicyScope", "FilterPolicy", "RawMessageDelivery")
"""What moto looks at, in the order in which it must be set."""


def persist_subscriptions(store: StateStore) -> None:
    """From here on, in this process."""
    SNSBackend.subscribe = _persist_subscribed(SNSBackend.subscribe, store)  # type: ignore[method-assign]
    set_attributes = _persist_attributes(SNSBackend.set_subscription_attributes, store)
    SNSBackend.set_subscription_attributes = set_attributes  # type: ignore[method-assign]
    SNSBackend.unsubscribe = _persist_unsubscribed(SNSBackend.unsubscribe, store)  # type: ignore[method-assign]
    SNSBackend.create_topic = _restore_on_create(SNSBackend.create_topic, store)  # type: ignore[method-assign]


def _save_subscription(one: Subscription, store: StateStore) -> None:
    saved = {"topic": one.topic.arn, "endpoint": one.endpoint, "protocol": one.protocol}
    store.save(_SUBSCRIPTION_KIND, one.arn, {**saved, "attributes": one.attributes})


def _persist_subscribed(
    subscribe: Callable[..., Subscription], store: StateStore
) -> Callable[..., Subscription]:
    @wraps(subscribe)
    def subscribed(backend: SNSBackend, *arguments: Any, **named: Any) -> Subscription:
        one = subscribe(backend, *arguments, **named)
        _save_subscription(one, store)
        return one

    return subscribed


def _persist_attributes(change: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(change)
    def changed(backend: SNSBackend, arn: str, name: str, value: Any) -> None:
        change(backend, arn, name, value)
        _save_subscription(backend.subscriptions[arn], store)

    return changed


def _persist_unsubscribed(leave: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(leave)
    def left(backend: SNSBackend, subscription_arn: str) -> None:
        leave(backend, subscription_arn)
        store.delete(_SUBSCRIPTION_KIND, subscription_arn)

    return left


def _restore_on_create(make: Callable[..., Topic], store: StateStore) -> Callable[..., Topic]:
    @wraps(make)
    def restored(backend: SNSBackend, *arguments: Any, **named: Any) -> Topic:
        topic = make(backend, *arguments, **named)
        for arn, saved in store.load_all(_SUBSCRIPTION_KIND):
            if saved["topic"] == topic.arn and arn not in backend.subscriptions:
                _restore_subscription(backend, topic, arn, saved)
        return topic

    return restored


def _restore_subscription(backend: SNSBackend, topic: Topic, arn: str, saved: dict[str, Any]) -> None:
    one = Subscription(backend.account_id, topic, saved["endpoint"], saved["protocol"])
    one.arn, one.attributes = arn, saved["attributes"]
    backend.subscriptions[arn] = one
    for name in _RESTORED_ATTRIBUTES:
        if one.attributes.get(name):
            backend.set_subscription_attributes(arn, name, one.attributes[name])
