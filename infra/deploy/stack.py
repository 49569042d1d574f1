"""One CloudFormation stack: what would change, changing it, and what became of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.errors import DeployError

_SETTLED = ("COMPLETE", "FAILED")
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_POLL_S = 3.0

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a change set adds, modifies or removes; `replaced` is what loses data."""

    action: str
    resource: str
    kind: str
    replaced: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack by name, whether it is there yet or not."""

    cloudformation: Any
    name: str
    pause: Pause = time.sleep

    def description(self) -> dict[str, Any] | None:
        """What AWS says of the stack, None where there is none (or only a change set for one)."""
        try:
            found = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else dict(found)

    def prepare(
        self, change_set: str, *, url: str, parameters: Mapping[str, str | None], tags: Mapping[str, str]
    ) -> tuple[Change, ...]:
        """Create a change set from a template and list its changes; none: it is gone again.

        A parameter without a value keeps the one that the stack has.
        """
        before = self.description()
        if before and before["StackStatus"] == "ROLLBACK_COMPLETE":
            raise DeployError(f"{self.name} never came up: delete it, then deploy again.")
        self.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if before else "CREATE",
            TemplateURL=url,
            Parameters=[_parameter(key, value) for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self._changes(change_set)

    def execute(self, change_set: str) -> Iterator[str]:
        """Carry a change set out, yielding the stack's state as it goes. Raises DeployError on failure."""
        since = self._last_event()
        self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        while True:
            status = str((self.description() or {"StackStatus": "REVIEW_IN_PROGRESS"})["StackStatus"])
            yield status
            if status.endswith(_SETTLED):
                break
            self.pause(_POLL_S)
        if status not in _GOOD:
            raise DeployError(f"{self.name} is {status}: {self._first_failure(since)}")

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        found = (self.description() or {}).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def discard(self, change_set: str) -> None:
        """Drop a change set that nobody wants."""
        self.cloudformation.delete_change_set(StackName=self.name, ChangeSetName=change_set)

    def _changes(self, change_set: str) -> tuple[Change, ...]:
        """Wait until AWS has worked the change set out."""
        while True:
            pages = self.cloudformation.get_paginator("describe_change_set")
            found = list(pages.paginate(StackName=self.name, ChangeSetName=change_set))
            status, reason = found[0]["Status"], found[0].get("StatusReason", "")
            if status.endswith(_SETTLED):
                break
            self.pause(_POLL_S)
        if status != "FAILED":
            return tuple(_change(entry["ResourceChange"]) for page in found for entry in page["Changes"])
        self.discard(change_set)
        if any(words in reason for words in _NOTHING):
            return ()
        raise DeployError(f"AWS refuses the change set for {self.name}: {reason}")

    def _last_event(self) -> datetime | None:
        if self.description() is None:
            return None
        newest = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return newest[0]["Timestamp"] if newest else None

    def _first_failure(self, since: datetime | None) -> str:
        """The reason that came before all the cancellations."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.name)
        events = [event for page in pages for event in page["StackEvents"]]
        fresh = [event for event in events if since is None or event["Timestamp"] > since]
        failed = [event for event in fresh if event["ResourceStatus"].endswith("_FAILED")]
        if not failed:
            return "AWS gives no reason."
        first = failed[-1]
        return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason given')}"


def _parameter(key: str, value: str | None) -> dict[str, str | bool]:
    if value is None:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def _change(entry: Mapping[str, Any]) -> Change:
    replaced = entry.get("Replacement", "")
    return Change(entry["Action"], entry["LogicalResourceId"], entry["ResourceType"], replaced)
