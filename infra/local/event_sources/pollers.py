"""SNS to Lambda: a hidden queue takes what the subscription's filter lets through, and is emptied here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import (
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any

from infra.local.clients import AwsClients
from infra.local.cloudformation.deploy import Stack, create_queue, create_subscription
from infra.local.cloudformation.functions import event_source_mappings, split_subscriptions
from infra.local.cloudformation.names import AwsLocation
from infra.local.event_sources.async_invoke import AsyncInvoker, Destinations
from infra.local.event_sources.dynamodb_streams import StreamPoller
from infra.local.event_sources.mapping import EventSourceMapping
from infra.local.event_sources.sqs import QueuePoller
from infra.local.lambda_.service import LambdaService
from infra.local.threads import ThreadSupervisor

_TOPIC_WAIT_S = 20
_TOPIC_RECEIVE = 10


class TopicPoller:
    """One subscription of a function; moto does the filtering and keeps the attributes."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        clients: AwsClients,
        location: AwsLocation,
        start: Callable[[str, bytes], object],
        supervisor: ThreadSupervisor,
    ) -> None:
        self._function = properties["Endpoint"]
        self._topic = properties["TopicArn"]
        digest = hashlib.sha256(f"{self._topic} {self._function}".encode()).hexdigest()[:16]
        self._name = f"local-subscription-{digest}"
        self._subscription = {
            **properties,
            "Protocol": "sqs",
            "Endpoint": location.arn("sqs", self._name),
            "RawMessageDelivery": False,
        }
        self._clients = clients
        self._start = start
        self._supervisor = supervisor
        self.url = location.queue_url(self._name)
        self.busy = False

    def subscribe(self) -> None:
        """Make the hidden queue and subscribe it."""
        create_queue(self._clients, self._name, {"VisibilityTimeout": 30})
        create_subscription(self._clients, self._subscription)

    def run(self) -> None:
        """Until the cloud stops: one asynchronous invocation for each message, as SNS does."""
        sqs = self._clients.get("sqs")
        while not self._supervisor.stopping.is_set():
            messages = sqs.receive_message(
                QueueUrl=self.url, WaitTimeSeconds=_TOPIC_WAIT_S, MaxNumberOfMessages=_TOPIC_RECEIVE
            ).get("Messages", [])
            for message in messages:
                self._start(self._function, json.dumps(self._event(json.loads(message["Body"]))).encode())
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def _event(self, notification: Mapping[str, Any]) -> dict[str, Any]:
        shaped = {
            "Type": notification["Type"],
            "MessageId": notification["MessageId"],
            "TopicArn": notification["TopicArn"],
            "Subject": notification.get("Subject"),
            "Message": notification["Message"],
            "Timestamp": notification["Timestamp"],
            "SignatureVersion": notification["SignatureVersion"],
            "Signature": notification["Signature"],
            "SigningCertUrl": notification["SigningCertURL"],
            "UnsubscribeUrl": notification["UnsubscribeURL"],
            "MessageAttributes": notification.get("MessageAttributes", {}),
        }
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": f"{self._topic}:{self._name[-16:]}",
            "EventSource": "aws:sns",
            "Sns": shaped,
        }
        return {"Records": [record]}


# MERGED: All that carries events to functions by itself: made from the stack, and started.


@dataclass(frozen=True, slots=True)
class Pollers:
    """One for each event source mapping and for each function that a topic invokes."""

    queues: Sequence[QueuePoller]
    streams: Sequence[StreamPoller]
    topics: Sequence[TopicPoller]

    @property
    def mapping_pollers(self) -> Iterator[QueuePoller | StreamPoller]:
        """Those of event source mappings."""
        yield from self.queues
        yield from self.streams

    @property
    def run_methods(self) -> Iterator[Callable[[], None]]:
        """What each does until the cloud stops."""
        yield from (poller.run for poller in self.mapping_pollers)
        yield from (poller.run for poller in self.topics)

    @property
    def mappings(self) -> Mapping[str, EventSourceMapping]:
        """The event source mappings by their id."""
        return {poller.mapping.id: poller.mapping for poller in self.mapping_pollers}

    @property
    def queue_urls(self) -> Iterator[str]:
        """The queues that are polled, hidden ones among them."""
        yield from (poller.url for poller in self.queues)
        yield from (poller.url for poller in self.topics)


def start_pollers(
    stack: Stack,
    *,
    functions: LambdaService,
    clients: AwsClients,
    destinations: Destinations,
    async_invoker: AsyncInvoker,
    supervisor: ThreadSupervisor,
) -> Pollers:
    """Subscribe everyone, then poll."""
    location = stack.names.location
    lambda_subscriptions, others = split_subscriptions(stack)
    for subscription in others:
        create_subscription(clients, subscription)
    topics = [
        TopicPoller(
            one, clients=clients, location=location, start=async_invoker.enqueue, supervisor=supervisor
        )
        for one in lambda_subscriptions
    ]
    for topic in topics:
        topic.subscribe()
    of_queues, of_streams = event_source_mappings(stack, functions)
    url_of_arn = location.queue_url_of_arn
    queues = [
        QueuePoller(
            one, url=url_of_arn(one.source), functions=functions, clients=clients, supervisor=supervisor
        )
        for one in of_queues
    ]
    streams = [
        StreamPoller(
            one, functions=functions, clients=clients, destinations=destinations, supervisor=supervisor
        )
        for one in of_streams
    ]
    pollers = Pollers(queues, streams, topics)
    for run in pollers.run_methods:
        supervisor.start_thread(run.__qualname__, run)
    return pollers
