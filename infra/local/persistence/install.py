"""Persistence of moto's services in one state file; SNS subscriptions and KMS keys are handled here.

Each module wraps methods of one service of moto: a change is in the store before the call is answered, and
stored state is restored when the template creates the resource again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from moto.kms.models import KmsBackend
from moto.sns.models import SNSBackend, Subscription, Topic

from infra.local.persistence import messages, objects, rows
from infra.local.persistence.store import StateStore

_KEY_KIND = "kms-keys"
_SUBSCRIPTION_KIND = "subscriptions"
_RESTORED_ATTRIBUTES = ("FilterPolicyScope", "FilterPolicy", "RawMessageDelivery")
"""The attributes that moto evaluates, in the order in which they must be set."""


def install_persistence(file: Path) -> Callable[[], None]:
    """Install persistence in moto's process; call it before `patch_locking`, whose locks include the writes.

    Returns a function that creates the queues of clients again, which are in no template.
    """
    store = StateStore(file)
    objects.persist_objects(store)
    rows.persist_rows(store)
    messages.persist_messages(store)
    _persist_subscriptions(store)
    _persist_kms_keys(store)
    return partial(messages.recreate_client_queues, store)


def _persist_subscriptions(store: StateStore) -> None:
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


def _persist_kms_keys(store: StateStore) -> None:
    """Keep the key material of each alias, so that old signatures stay valid."""
    KmsBackend.create_alias = _persist_key_material(KmsBackend.create_alias, store)  # type: ignore[method-assign]


def _persist_key_material(create_alias: Callable[..., Any], store: StateStore) -> Callable[..., Any]:
    @wraps(create_alias)
    def named(backend: KmsBackend, *arguments: Any, **more: Any) -> Any:
        alias = create_alias(backend, *arguments, **more)
        key = backend.keys[alias.target_key_id]
        saved = store.load(_KEY_KIND, alias.alias_name)
        if saved is None:
            store.save(_KEY_KIND, alias.alias_name, key.key_material)
        else:
            key.key_material = saved
        return alias

    return named
