"""Where boto3 clients, in workers and elsewhere, find Lambda, EventBridge and SageMaker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from infra.local.buses import Buses
from infra.local.health import Health
from infra.local.lambda_api import LambdaApi, Result, result
from infra.local.listening import Handler, Listener
from infra.local.training.api import TARGET, SageMakerApi


class FrontDoor(Listener):
    """Has its address from the start; until `open`, callers wait in line."""

    def __init__(self, health: Health) -> None:
        super().__init__(_Requests, "frontdoor", health)

    def open(self, functions: LambdaApi, buses: Buses, trainings: SageMakerApi) -> None:
        """Serve from now on."""
        self._lambda = functions
        self._buses = buses
        self._trainings = trainings
        self.start()

    def call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Result:
        """Answer one API call of any of them."""
        if headers.get("X-Amz-Target") == "AWSEvents.PutEvents":
            return self._put_events(body)
        if headers.get("X-Amz-Target", "").startswith(TARGET):
            return self._trainings.call(headers["X-Amz-Target"], body)
        return self._lambda.call(method, target, headers, body)

    def _put_events(self, body: bytes) -> Result:
        entries = [self._buses.put(entry) for entry in json.loads(body)["Entries"]]
        failed = sum("ErrorCode" in entry for entry in entries)
        return result({"FailedEntryCount": failed, "Entries": entries})


class _Requests(Handler):
    def _handle(self) -> None:
        door = cast(FrontDoor, self.server)
        answered = door.call(self.command, self.path, dict(self.headers), self.body())
        body = answered.body if isinstance(answered.body, bytes) else json.dumps(answered.body).encode()
        self.answer(answered.status, body, {"Content-Type": "application/json", **answered.headers})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server's names
