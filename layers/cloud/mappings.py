"""The event source mappings of the lanes: whether they run, and with how many workers."""

from typing import Any

from cloud.faults import faults
from vigil.steady.minute import Order

_RUNS = {"Enabled", "Enabling", "Creating", "Updating"}


class Mapping:
    """The mapping from a lane's queue to its function; found by both, then kept."""

    def __init__(self, client: Any, *, function: str, queue_arn: str) -> None:
        self._client, self._function, self._queue = client, function, queue_arn

    def obey(self, order: Order) -> bool:
        """Bring the mapping to what is ordered; whether anything had to change."""
        found = self._find()
        scaling = {"MaximumConcurrency": order.workers}
        enabled = found["State"] in _RUNS
        if enabled == order.enabled and found.get("ScalingConfig") == scaling:
            return False
        with faults(f"change mapping of {self._function}"):
            self._client.update_event_source_mapping(
                UUID=found["UUID"],
                FunctionName=self._function,
                Enabled=order.enabled,
                ScalingConfig=scaling,
            )
        return True

    def switch(self, *, enabled: bool) -> None:
        """On or off, whatever else it is."""
        found = self._find()
        with faults(f"switch mapping of {self._function}"):
            self._client.update_event_source_mapping(
                UUID=found["UUID"], FunctionName=self._function, Enabled=enabled
            )

    def running(self) -> bool:
        return self._find()["State"] in _RUNS

    def _find(self) -> dict[str, Any]:
        with faults(f"find mapping of {self._function}"):
            answer = self._client.list_event_source_mappings(
                FunctionName=self._function, EventSourceArn=self._queue
            )
        (found,) = answer["EventSourceMappings"]
        return dict(found)
