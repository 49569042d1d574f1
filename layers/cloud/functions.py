"""Other functions of the deployment, asked directly."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from vigil.errors import Transient, VigilError

_FULL = {"TooManyRequestsException", "EC2ThrottledException"}


class Shed(VigilError):
    """Every worker that the function may have is taken."""


class Functions:
    """Asks once: who waits for the answer decides whether to ask again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self, name: str, event: Mapping[str, Any]) -> None:
        """Let a function run by itself."""
        with faults(f"start {name}"):
            self._client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())

    def ask(self, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """The function's answer. Raises Shed, and Transient where it fails."""
        with faults(f"invoke {name}"):
            try:
                answer = self._client.invoke(FunctionName=name, Payload=json.dumps(question).encode())
            except ClientError as error:
                if code(error) not in _FULL:
                    raise
                raise Shed(name) from error
            told: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Transient(f"{name}: {told.get('errorType', 'failed')}")
        return told
