"""One CloudFormation stack: what would change, changing it, and what became of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.errors import DeployError

_FINAL_SUFFIXES = ("COMPLETE", "FAILED")
_SUCCESS_STATUSES = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_NO_CHANGE_MESSAGES = ("didn't contain changes", "No updates are to be performed")
_POLL_S = 3.0

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that a change set adds, modifies or removes; `replaced` is what loses data."""

    action: str
    resource: str
    kind: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack by name, whether it is there yet or not."""

    cloudformation: Any
    name: str
    sleep: Sleep = time.sleep

    def describe(self) -> dict[str, Any] | None:
        """What AWS says of the stack, None where there is none (or only a change set for one)."""
        try:
            stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else dict(stack)

    def create_change_set(
        self, change_set: str, *, url: str, parameters: Mapping[str, str | None], tags: Mapping[str, str]
    ) -> tuple[ResourceChange, ...]:
        """Create a change set from a template and list its changes; none: it is gone again.

        A parameter without a value keeps the one that the stack has.
        """
        before = self.describe()
        if before and before["StackStatus"] == "ROLLBACK_COMPLETE":
            raise DeployError(f"{self.name} never came up: delete it, then deploy again.")
        self.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if before else "CREATE",
            TemplateURL=url,
            Parameters=[_change_set_parameter(key, value) for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self._wait_for_changes(change_set)

    def execute_change_set(self, change_set: str) -> Iterator[str]:
        """Carry a change set out, yielding the stack's state as it goes. Raises DeployError on failure."""
        since = self._last_event()
        self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        while True:
            status = str((self.describe() or {"StackStatus": "REVIEW_IN_PROGRESS"})["StackStatus"])
            yield status
            if status.endswith(_FINAL_SUFFIXES):
                break
            self.sleep(_POLL_S)
        if status not in _SUCCESS_STATUSES:
            raise DeployError(f"{self.name} is {status}: {self._first_failure(since)}")

    def read_outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        entries = (self.describe() or {}).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in entries}

    def delete_change_set(self, change_set: str) -> None:
        """Drop a change set that nobody wants."""
        self.cloudformation.delete_change_set(StackName=self.name, ChangeSetName=change_set)

    def _wait_for_changes(self, change_set: str) -> tuple[ResourceChange, ...]:
        """Wait until AWS has worked the change set out."""
        while True:
            pages = self.cloudformation.get_paginator("describe_change_set")
            pages_read = list(pages.paginate(StackName=self.name, ChangeSetName=change_set))
            status, reason = pages_read[0]["Status"], pages_read[0].get("StatusReason", "")
            if status.endswith(_FINAL_SUFFIXES):
                break
            self.sleep(_POLL_S)
        if status != "FAILED":
            return tuple(
                _parse_change(entry["ResourceChange"]) for page in pages_read for entry in page["Changes"]
            )
        self.delete_change_set(change_set)
        if any(message in reason for message in _NO_CHANGE_MESSAGES):
            return ()
        raise DeployError(f"AWS refuses the change set for {self.name}: {reason}")

    def _last_event(self) -> datetime | None:
        if self.describe() is None:
            return None
        newest = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return newest[0]["Timestamp"] if newest else None

    def _first_failure(self, since: datetime | None) -> str:
        """The reason that came before all the cancellations."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.name)
        events = [event for page in pages for event in page["StackEvents"]]
        recent = [event for event in events if since is None or event["Timestamp"] > since]
        failed = [event for event in recent if event["ResourceStatus"].endswith("_FAILED")]
        if not failed:
            return "AWS gives no reason."
        first = failed[-1]
        return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason given')}"


def _change_set_parameter(key: str, value: str | None) -> dict[str, str | bool]:
    if value is None:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def _parse_change(entry: Mapping[str, Any]) -> ResourceChange:
    replaced = entry.get("Replacement", "")
    return ResourceChange(entry["Action"], entry["LogicalResourceId"], entry["ResourceType"], replaced)
