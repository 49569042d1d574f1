"""Persistence of SQS: queues, including those of clients, and messages with visibility and receive counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from infra.local.persistence.store import StateStore

_QUEUE_KIND = "queues"
_KIND_ATTRIBUTE = "_persisted_kind"
"""The attribute of a message with the kind under which it is stored."""


def persist_messages(store: StateStore) -> None:
    """Persist changes of queues and messages in moto's process."""
    Queue.add_message = _persist_added(Queue.add_message, store)  # type: ignore[method-assign]
    Queue.delete_message = _persist_deleted(Queue.delete_message, store)  # type: ignore[method-assign]
    Message.mark_received = _persist_changed(Message.mark_received, store)  # type: ignore[method-assign]
    Message.change_visibility = _persist_changed(Message.change_visibility, store)  # type: ignore[method-assign]
    SQSBackend.purge_queue = _persist_purged(SQSBackend.purge_queue, store)  # type: ignore[method-assign]
    SQSBackend.delete_queue = _persist_queue_deleted(SQSBackend.delete_queue, store)  # type: ignore[method-assign]
    SQSBackend.create_queue = _persist_queue_created(SQSBackend.create_queue, store)  # type: ignore[method-assign]


def _message_kind(queue: Queue) -> str:
    return f"messages/{queue.name}"


def _save_message(message: Message, store: StateStore) -> None:
    kind = getattr(message, _KIND_ATTRIBUTE, None)
    if kind is not None:
        store.save(kind, message.id, vars(message))


def _persist_added(add: Callable[..., None], store: StateStore) -> Callable[..., None]:
    """Save a message; one that moves to a dead-letter queue leaves its old queue in the same transaction."""

    @wraps(add)
    def added(queue: Queue, message: Message) -> None:
        previous_kind = getattr(message, _KIND_ATTRIBUTE, None)
        with queue._messages_lock:
            add(queue, message)
            setattr(message, _KIND_ATTRIBUTE, _message_kind(queue))
            with store.transaction():
                if previous_kind is not None:
                    store.delete(previous_kind, message.id)
                _save_message(message, store)

    return added


def _persist_deleted(delete: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(delete)
    def deleted(queue: Queue, receipt_handle: str) -> None:
        deleted_ids = [one.id for one in queue._messages if one.had_receipt_handle(receipt_handle)]
        delete(queue, receipt_handle)
        for ident in deleted_ids:
            store.delete(_message_kind(queue), ident)

    return deleted


def _persist_changed(change: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(change)
    def changed(message: Message, *arguments: Any, **named: Any) -> None:
        change(message, *arguments, **named)
        _save_message(message, store)

    return changed


def _persist_purged(empty: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(empty)
    def emptied(backend: SQSBackend, queue_name: str) -> None:
        empty(backend, queue_name)
        store.delete_kind(f"messages/{queue_name}")

    return emptied


def _persist_queue_deleted(remove: Callable[..., None], store: StateStore) -> Callable[..., None]:
    @wraps(remove)
    def removed(backend: SQSBackend, queue_name: str) -> None:
        remove(backend, queue_name)
        store.delete(_QUEUE_KIND, queue_name)
        store.delete_kind(f"messages/{queue_name}")

    return removed


def _persist_queue_created(make: Callable[..., Queue], store: StateStore) -> Callable[..., Queue]:
    """Restore the messages of a queue that is created again; its attributes are the new ones."""

    @wraps(make)
    def restored(
        backend: SQSBackend, name: str, tags: dict[str, str] | None = None, **attributes: Any
    ) -> Queue:
        existed = name in backend.queues
        queue = make(backend, name, tags, **attributes)
        if not existed:
            store.save(
                _QUEUE_KIND,
                name,
                {**_backend_location(backend), "tags": tags, "attributes": _without_references(attributes)},
            )
            _restore_messages(queue, store)
        return queue

    return restored


def recreate_client_queues(store: StateStore) -> None:
    """Create the stored queues that the template did not create."""
    for name, saved in store.load_all(_QUEUE_KIND):
        backend = sqs_backends[saved["account"]][saved["region"]]
        if name not in backend.queues:
            backend.create_queue(name, saved["tags"], **saved["attributes"])


def _restore_messages(queue: Queue, store: StateStore) -> None:
    for ident, saved in store.load_all(_message_kind(queue)):
        message = Message(ident, saved["body"])
        vars(message).update(saved)
        queue._messages.append(message)


def _without_references(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes without the reference to another queue, which may not exist yet."""
    return {name: value for name, value in attributes.items() if name not in ("RedrivePolicy", "region")}


def _backend_location(backend: SQSBackend) -> dict[str, str]:
    return {"account": backend.account_id, "region": backend.region_name}
