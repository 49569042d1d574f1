"""Waits until nothing is going on: no message, no record, no event on its way."""

from __future__ import annotations

import time
from collections.abc import Iterator

from infra.local.errors import NotQuiet
from infra.local.parts import Parts

_LOOK_S = (0.05, 0.5)
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def wait(parts: Parts, timeout_s: float) -> None:
    """Return once all is still; raises NotQuiet with what was not.

    A message that waits for its next attempt is not still, nor is one in the queue of a disabled mapping;
    a stream whose mapping is disabled is not looked into.
    """
    until = time.monotonic() + timeout_s
    look_s = _LOOK_S[0]
    while True:
        parts.health.check()
        going_on = _going_on(parts)
        if going_on is None:
            return
        if time.monotonic() > until:
            raise NotQuiet(f"after {timeout_s:g} s: {going_on}")
        time.sleep(look_s)
        look_s = min(look_s * 1.3, _LOOK_S[1])


def _going_on(parts: Parts) -> str | None:
    """The first thing found; None only if nothing ran between a look at everything and another."""
    before = _ran(parts)
    found = next(_restless(parts), None) or _unread(parts)
    if found is None:
        found = next(_restless(parts), None)
    if found is None and _ran(parts) != before:
        return "something ran a moment ago"
    return found


def _restless(parts: Parts) -> Iterator[str]:
    if parts.functions.running:
        yield f"{parts.functions.running} invocations are running"
    if parts.later.pending:
        yield f"{parts.later.pending} asynchronous events are pending"
    for poller in parts.pollers.sources:
        if poller.busy:
            yield f"a batch of {poller.mapping.source} is being worked on"
    for url in parts.pollers.urls:
        count = _messages(parts, url)
        if count:
            yield f"{count} messages in {url.rsplit('/', 1)[-1]}"


def _messages(parts: Parts, url: str) -> int:
    shown = parts.clients.get("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
    return sum(int(shown["Attributes"][name]) for name in _COUNTS)


def _unread(parts: Parts) -> str | None:
    """Have every stream read once more, from beginning to end of the read."""
    for poller in [one for one in parts.pollers.streams if one.mapping.enabled]:
        wanted = poller.reads + 2
        until = time.monotonic() + 2
        while poller.reads < wanted and time.monotonic() < until:
            poller.mapping.changed.set()
            time.sleep(0.01)
        if poller.reads < wanted:
            return f"{poller.mapping.source} is being read"
    return None


def _ran(parts: Parts) -> int:
    return sum(count.invocations for count in parts.functions.counters.read().values())
