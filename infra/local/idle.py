"""Waits until nothing is going on: no message, no record, no event on its way."""

from __future__ import annotations

import time
from collections.abc import Iterator

from infra.local.builder import Components
from infra.local.errors import NotIdle

_POLL_INTERVAL_S = (0.05, 0.5)
_COUNT_ATTRIBUTES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def wait_until_idle(components: Components, timeout_s: float) -> None:
    """Return once all is still; raises NotQuiet with what was not.

    A message that waits for its next attempt is not still, nor is one in the queue of a disabled mapping;
    a stream whose mapping is disabled is not looked into.
    """
    deadline = time.monotonic() + timeout_s
    interval_s = _POLL_INTERVAL_S[0]
    while True:
        components.supervisor.raise_crashes()
        activity = _find_activity(components)
        if activity is None:
            return
        if time.monotonic() > deadline:
            raise NotIdle(f"after {timeout_s:g} s: {activity}")
        time.sleep(interval_s)
        interval_s = min(interval_s * 1.3, _POLL_INTERVAL_S[1])


def _find_activity(components: Components) -> str | None:
    """The first thing found; None only if nothing ran between a look at everything and another."""
    count_before = _invocation_count(components)
    found = next(_activities(components), None) or _unread_stream(components)
    if found is None:
        found = next(_activities(components), None)
    if found is None and _invocation_count(components) != count_before:
        return "something ran a moment ago"
    return found


def _activities(components: Components) -> Iterator[str]:
    if components.functions.running_count:
        yield f"{components.functions.running_count} invocations are running"
    if components.async_invoker.pending_count:
        yield f"{components.async_invoker.pending_count} asynchronous events are pending"
    for poller in components.pollers.mapping_pollers:
        if poller.busy:
            yield f"a batch of {poller.mapping.source} is being worked on"
    for url in components.pollers.queue_urls:
        count = _message_count(components, url)
        if count:
            yield f"{count} messages in {url.rsplit('/', 1)[-1]}"


def _message_count(components: Components, url: str) -> int:
    response = components.clients.get("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=list(_COUNT_ATTRIBUTES)
    )
    return sum(int(response["Attributes"][name]) for name in _COUNT_ATTRIBUTES)


def _unread_stream(components: Components) -> str | None:
    """Have every stream read once more, from beginning to end of the read."""
    for poller in [one for one in components.pollers.streams if one.mapping.enabled]:
        target_count = poller.read_count + 2
        deadline = time.monotonic() + 2
        while poller.read_count < target_count and time.monotonic() < deadline:
            poller.mapping.settings_changed.set()
            time.sleep(0.01)
        if poller.read_count < target_count:
            return f"{poller.mapping.source} is being read"
    return None


def _invocation_count(components: Components) -> int:
    return sum(count.invocations for count in components.functions.counters.snapshot().values())
