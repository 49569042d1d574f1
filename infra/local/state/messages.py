"""SQS: queues, also those that clients made, and every message with its visibility and its receives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from infra.local.state.store import Store

_QUEUES = "queues"
_QUEUE = "kept_in"
"""The attribute by which a message knows under which kind it is kept."""


def keep(store: Store) -> None:
    """From here on, in this process."""
    Queue.add_message = _added(Queue.add_message, store)  # type: ignore[method-assign]
    Queue.delete_message = _deleted(Queue.delete_message, store)  # type: ignore[method-assign]
    Message.mark_received = _changed(Message.mark_received, store)  # type: ignore[method-assign]
    Message.change_visibility = _changed(Message.change_visibility, store)  # type: ignore[method-assign]
    SQSBackend.purge_queue = _emptied(SQSBackend.purge_queue, store)  # type: ignore[method-assign]
    SQSBackend.delete_queue = _removed(SQSBackend.delete_queue, store)  # type: ignore[method-assign]
    SQSBackend.create_queue = _made(SQSBackend.create_queue, store)  # type: ignore[method-assign]


def _kind(queue: Queue) -> str:
    return f"messages/{queue.name}"


def _write(message: Message, store: Store) -> None:
    kind = getattr(message, _QUEUE, None)
    if kind is not None:
        store.put(kind, message.id, vars(message))


def _added(add: Callable[..., None], store: Store) -> Callable[..., None]:
    """A message that moves to its dead-letter queue leaves the one it was in at the same moment."""

    @wraps(add)
    def added(queue: Queue, message: Message) -> None:
        before = getattr(message, _QUEUE, None)
        with queue._messages_lock:
            add(queue, message)
            if queue.fifo_queue and message not in queue._messages:
                return  # a duplicate, which a FIFO queue leaves out
            setattr(message, _QUEUE, _kind(queue))
            with store.together():
                if before is not None:
                    store.delete(before, message.id)
                _write(message, store)

    return added


def _deleted(delete: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(delete)
    def deleted(queue: Queue, receipt_handle: str) -> None:
        gone = [one.id for one in queue._messages if one.had_receipt_handle(receipt_handle)]
        delete(queue, receipt_handle)
        for ident in gone:
            store.delete(_kind(queue), ident)

    return deleted


def _changed(change: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(change)
    def changed(message: Message, *arguments: Any, **named: Any) -> None:
        change(message, *arguments, **named)
        _write(message, store)

    return changed


def _emptied(empty: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(empty)
    def emptied(backend: SQSBackend, queue_name: str) -> None:
        empty(backend, queue_name)
        store.delete_kind(f"messages/{queue_name}")

    return emptied


def _removed(remove: Callable[..., None], store: Store) -> Callable[..., None]:
    @wraps(remove)
    def removed(backend: SQSBackend, queue_name: str) -> None:
        remove(backend, queue_name)
        store.delete(_QUEUES, queue_name)
        store.delete_kind(f"messages/{queue_name}")

    return removed


def _made(make: Callable[..., Queue], store: Store) -> Callable[..., Queue]:
    """A queue that is made again has its old messages, and the settings that it is given now."""

    @wraps(make)
    def made(backend: SQSBackend, name: str, tags: dict[str, str] | None = None, **wanted: Any) -> Queue:
        known = name in backend.queues
        queue = make(backend, name, tags, **wanted)
        if not known:
            store.put(_QUEUES, name, {**_home(backend), "tags": tags, "wanted": _plain(wanted)})
            _put_back(queue, store)
        return queue

    return made


def make_missing(store: Store) -> None:
    """Make the queues again that nobody else made: those of clients."""
    for name, kept in store.all(_QUEUES):
        backend = sqs_backends[kept["account"]][kept["region"]]
        if name not in backend.queues:
            backend.create_queue(name, kept["tags"], **kept["wanted"])


def _put_back(queue: Queue, store: Store) -> None:
    for ident, kept in store.all(_kind(queue)):
        message = Message(ident, kept["body"])
        vars(message).update(kept)
        queue._messages.append(message)


def _plain(wanted: dict[str, Any]) -> dict[str, Any]:
    """Without what refers to another queue, which may come later."""
    return {name: value for name, value in wanted.items() if name not in ("RedrivePolicy", "region")}


def _home(backend: SQSBackend) -> dict[str, str]:
    return {"account": backend.account_id, "region": backend.region_name}
