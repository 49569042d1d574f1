"""All that carries events to functions by itself: made from the stack, and started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.local import channels, compute
from infra.local.asynchronous import Asynchronous
from infra.local.clients import Clients
from infra.local.destinations import Destinations
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.mappings import EventSource
from infra.local.queues import QueuePoller
from infra.local.stack import Stack
from infra.local.streams import StreamPoller
from infra.local.topics import TopicPoller


@dataclass(frozen=True, slots=True)
class Pollers:
    """One for each event source mapping and for each function that a topic invokes."""

    queues: Sequence[QueuePoller]
    streams: Sequence[StreamPoller]
    topics: Sequence[TopicPoller]

    @property
    def sources(self) -> Iterator[QueuePoller | StreamPoller]:
        """Those of event source mappings."""
        yield from self.queues
        yield from self.streams

    @property
    def loops(self) -> Iterator[Callable[[], None]]:
        """What each does until the cloud stops."""
        yield from (poller.run for poller in self.sources)
        yield from (poller.run for poller in self.topics)

    @property
    def mappings(self) -> Mapping[str, EventSource]:
        """The event source mappings by their id."""
        return {poller.mapping.id: poller.mapping for poller in self.sources}

    @property
    def urls(self) -> Iterator[str]:
        """The queues that are polled, hidden ones among them."""
        yield from (poller.url for poller in self.queues)
        yield from (poller.url for poller in self.topics)


def start_pollers(
    stack: Stack,
    *,
    functions: Functions,
    clients: Clients,
    destinations: Destinations,
    later: Asynchronous,
    health: Health,
) -> Pollers:
    """Subscribe everyone, then poll."""
    place = stack.identities.place
    ours, others = compute.subscriptions(stack)
    for subscription in others:
        channels.subscribe(clients, subscription)
    topics = [
        TopicPoller(one, clients=clients, place=place, start=later.start, health=health) for one in ours
    ]
    for topic in topics:
        topic.subscribe()
    of_queues, of_streams = compute.sources(stack, functions)
    queues = [
        QueuePoller(one, url=place.url_of(one.source), functions=functions, clients=clients, health=health)
        for one in of_queues
    ]
    streams = [
        StreamPoller(one, functions=functions, clients=clients, destinations=destinations, health=health)
        for one in of_streams
    ]
    pollers = Pollers(queues, streams, topics)
    for run in pollers.loops:
        health.start(run.__qualname__, run)
    return pollers
