"""Where boto3 clients, in workers and elsewhere, find Lambda, EventBridge and SageMaker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from infra.local import callers
from infra.local.buses import Buses
from infra.local.faults import Trouble
from infra.local.health import Health
from infra.local.lambda_api import LambdaApi, Result, result
from infra.local.listening import Handler, Listener
from infra.local.training.api import TARGET, SageMakerApi


class FrontDoor(Listener):
    """Has its address from the start; until `open`, callers wait in line."""

    def __init__(self, health: Health, trouble: Trouble) -> None:
        super().__init__(_Requests, "frontdoor", health)
        self._trouble = trouble

    def open(self, functions: LambdaApi, buses: Buses, trainings: SageMakerApi) -> None:
        """Serve from now on."""
        self._lambda = functions
        self._buses = buses
        self._trainings = trainings
        self.start()

    def call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Result:
        """Answer one API call of any of them; badly, where there is trouble and a function asks."""
        faults, happens = self._trouble.faults, self._trouble.happens
        if faults is None or callers.worker(headers.get("User-Agent", "")) is None:
            return self._served(method, target, headers, body)
        service = callers.service(headers.get("Authorization", ""))
        if happens(f"{service} throttled", faults.throttles.get(service, 0)):
            return _refused(429, "TooManyRequestsException")
        if happens(f"{service} failed before", faults.errors.get(service, 0) / 2):
            return _refused(500, "ServiceException")
        answered = self._served(method, target, headers, body)
        if happens(f"{service} failed after", faults.errors.get(service, 0) / 2):
            return _refused(500, "ServiceException")
        return answered

    def _served(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Result:
        if headers.get("X-Amz-Target") == "AWSEvents.PutEvents":
            return self._put_events(body)
        if headers.get("X-Amz-Target", "").startswith(TARGET):
            return self._trainings.call(headers["X-Amz-Target"], body)
        return self._lambda.call(method, target, headers, body)

    def _put_events(self, body: bytes) -> Result:
        entries = [self._buses.put(entry) for entry in json.loads(body)["Entries"]]
        failed = sum("ErrorCode" in entry for entry in entries)
        return result({"FailedEntryCount": failed, "Entries": entries})


def _refused(status: int, code: str) -> Result:
    return result({"__type": code, "message": "made to fail"}, status, x_amzn_ErrorType=code)


class _Requests(Handler):
    def _handle(self) -> None:
        door = cast(FrontDoor, self.server)
        answered = door.call(self.command, self.path, dict(self.headers), self.body())
        body = answered.body if isinstance(answered.body, bytes) else json.dumps(answered.body).encode()
        self.answer(answered.status, body, {"Content-Type": "application/json", **answered.headers})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server's names
