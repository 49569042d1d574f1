"""The API of AWS Lambda: invoking functions, and the event source mappings of the lanes."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from vigil.errors import Transient, VigilError
from vigil.reliability.controller import MappingSettings

_THROTTLING_CODES = {"TooManyRequestsException", "EC2ThrottledException"}
_ENABLED_STATES = {"Enabled", "Enabling", "Creating", "Updating"}


def function_name(reference: str) -> str:
    """The name of a function by its name or the ARN of its alias."""
    parts = reference.split(":")
    return parts[6] if len(parts) > 6 else reference


class FunctionThrottled(VigilError):
    """The function has no free concurrency."""


class LambdaFunctions:
    """Invokes a function once, without retries; the caller decides whether to call again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def invoke_async(self, name: str, payload: Mapping[str, Any]) -> None:
        with translate_errors("functions", "start function"):
            self._client.invoke(
                FunctionName=name, InvocationType="Event", Payload=json.dumps(payload).encode()
            )

    def invoke(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The function's answer. Raises FunctionThrottled, and Transient if the function fails."""
        with translate_errors("functions", "invoke function"):
            try:
                response = self._client.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
            except ClientError as error:
                if error_code(error) not in _THROTTLING_CODES:
                    raise
                raise FunctionThrottled(name) from error
            result: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise Transient(
                f"{name} failed with {result.get('errorType', 'an unknown error')}",
                dependency="functions",
                operation="invoke function",
            )
        return result


class EventSourceMapping:
    """The mapping from a lane's queue to its function."""

    def __init__(self, client: Any, *, function: str, queue_arn: str) -> None:
        self._client, self._function, self._queue = client, function, queue_arn

    def apply(self, settings: MappingSettings) -> bool:
        """Give the mapping these settings; False if it has them already."""
        found = self._describe()
        scaling = {"MaximumConcurrency": settings.workers}
        enabled = found["State"] in _ENABLED_STATES
        if enabled == settings.enabled and found.get("ScalingConfig") == scaling:
            return False
        self._update(found["UUID"], Enabled=settings.enabled, ScalingConfig=scaling)
        return True

    def set_enabled(self, *, enabled: bool) -> None:
        """Switch the mapping on or off and change nothing else."""
        self._update(self._describe()["UUID"], Enabled=enabled)

    def is_enabled(self) -> bool:
        return self._describe()["State"] in _ENABLED_STATES

    def _update(self, uuid: str, **changes: Any) -> None:
        with translate_errors("functions", "update event source mapping"):
            self._client.update_event_source_mapping(UUID=uuid, FunctionName=self._function, **changes)

    def _describe(self) -> dict[str, Any]:
        with translate_errors("functions", "read event source mapping"):
            answer = self._client.list_event_source_mappings(
                FunctionName=self._function, EventSourceArn=self._queue
            )
        (found,) = answer["EventSourceMappings"]
        return dict(found)
