"""Where the outcome of an invocation is sent: a queue, a topic or another function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.clients import Clients
from infra.local.errors import CannotImitate
from infra.local.identities import Place


class Destinations:
    """Sends a document to an ARN; a function gets it by `start`, without waiting."""

    def __init__(self, clients: Clients, place: Place) -> None:
        self._clients = clients
        self._place = place
        self.start: Callable[[str, bytes], object] = _no_functions_yet

    def send(self, arn: str, document: Mapping[str, Any]) -> None:
        """Deliver as JSON."""
        self.deliver(arn, json.dumps(document))

    def deliver(self, arn: str, text: str) -> None:
        """Deliver as it is."""
        service = arn.split(":")[2]
        if service == "lambda":
            self.start(arn, text.encode())
        elif service == "sqs":
            url = self._place.url_of(arn)
            self._clients.get("sqs").send_message(QueueUrl=url, MessageBody=text)
        else:
            self._clients.get("sns").publish(TopicArn=arn, Message=text)


def check(arn: str, where: str) -> None:
    """Refuse a destination that `deliver` could not reach."""
    if arn.split(":")[2:3] not in (["lambda"], ["sqs"], ["sns"]):
        raise CannotImitate(where, f"the destination {arn}")


def _no_functions_yet(arn: str, payload: bytes) -> None:
    raise CannotImitate(arn, f"an event of {len(payload)} bytes before the functions are there")
