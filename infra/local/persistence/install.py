"""KMS: the material of each key, by its alias: what was sealed before is still sealed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from moto.kms.models import KmsBackend

from infra.local.persistence import (
    messages,
    objects,
    rows,
    subscriptions,
)
from infra.local.persistence.store import StateStore

_KEY_KIND = "kms-keys"


def persist_kms_keys(store: StateStore) -> None:
    """From here on, in this process."""
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


# MERGED: Puts all five services of moto on one store. / Each module puts itself between moto and one of its
#   services: what a call changed is in the store before / the call is answered, and what is in the store is
#   put back when the resource is made again.


def install_persistence(file: Path) -> Callable[[], None]:
    """From here on, in moto's process; before its locks, which must hold around the writing too.

    Returns what makes again all that was there before and that no template speaks of.
    """
    store = StateStore(file)
    objects.persist_objects(store)
    rows.persist_rows(store)
    messages.persist_messages(store)
    subscriptions.persist_subscriptions(store)
    persist_kms_keys(store)
    return partial(messages.recreate_client_queues, store)
