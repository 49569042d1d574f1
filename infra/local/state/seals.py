"""KMS: the material of each key, by its alias: what was sealed before is still sealed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.kms.models import KmsBackend

from infra.local.state.store import Store

_KIND = "seals"


def keep(store: Store) -> None:
    """From here on, in this process."""
    KmsBackend.create_alias = _named(KmsBackend.create_alias, store)  # type: ignore[method-assign]


def _named(create_alias: Callable[..., Any], store: Store) -> Callable[..., Any]:
    @wraps(create_alias)
    def named(backend: KmsBackend, *arguments: Any, **more: Any) -> Any:
        alias = create_alias(backend, *arguments, **more)
        key = backend.keys[alias.target_key_id]
        kept = store.get(_KIND, alias.alias_name)
        if kept is None:
            store.put(_KIND, alias.alias_name, key.key_material)
        else:
            key.key_material = kept
        return alias

    return named
