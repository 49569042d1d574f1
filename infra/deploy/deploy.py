"""Deploys a packaged folder as a CloudFormation stack: upload, change set, confirmation, execution."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy import snapstart
from infra.deploy.artefacts import ArtefactBucket, ensure_bucket, upload_artefacts, upload_template
from infra.deploy.checks import DeployError, existing_keys
from infra.deploy.console import upload_console

_FINAL_SUFFIXES = ("COMPLETE", "FAILED")
_UNFINISHED = {"CREATE_FAILED", "UPDATE_FAILED"}
_MUST_BE_DELETED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_SUCCESS_STATUSES = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_NO_CHANGE_MESSAGES = ("didn't contain changes", "No updates are to be performed")
_POLL_S = 3.0

Sleep = Callable[[float], None]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that a change set adds, modifies or removes; a replacement loses its data."""

    action: str
    resource: str
    kind: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack by name; it need not exist."""

    cloudformation: Any
    name: str
    sleep: Sleep = time.sleep

    def describe(self) -> dict[str, Any] | None:
        """Return the stack's description; None if it does not exist or has only a change set."""
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
        """Create a change set from a template and return its changes; one without changes is deleted.

        A parameter without a value keeps the value that the stack has. Named resources that exist already,
        such as those that a deleted stack left, become part of the stack. If the creation fails, what was
        created stays and the next deployment continues:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
        """
        before = self.describe()
        status = before["StackStatus"] if before else ""
        if status in _MUST_BE_DELETED:
            raise DeployError(
                f"{self.name} is {status}: delete the stack, then deploy again; data are adopted."
            )
        on_failure = {"OnStackFailure": "DO_NOTHING"} if not status or status in _UNFINISHED else {}
        self.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if before else "CREATE",
            TemplateURL=url,
            Parameters=[_change_set_parameter(key, value) for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            ImportExistingResources=True,
            **on_failure,
        )
        return self._wait_for_changes(change_set)

    def execute_change_set(self, change_set: str) -> Iterator[str]:
        """Execute a change set, yielding the stack's status at each poll. Raises DeployError on failure."""
        since = self._last_event()
        self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        while True:
            status = str((self.describe() or {"StackStatus": "REVIEW_IN_PROGRESS"})["StackStatus"])
            yield status
            if status.endswith(_FINAL_SUFFIXES) and self._last_event() != since:
                break
            self.sleep(_POLL_S)
        if status not in _SUCCESS_STATUSES:
            advice = ". Remove the cause and deploy again: it continues" if status in _UNFINISHED else ""
            raise DeployError(f"{self.name} is {status}: {self._first_failure(since)}{advice}")

    def read_outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name."""
        entries = (self.describe() or {}).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in entries}

    def delete_change_set(self, change_set: str) -> None:
        """Delete a change set."""
        self.cloudformation.delete_change_set(StackName=self.name, ChangeSetName=change_set)

    def _wait_for_changes(self, change_set: str) -> tuple[ResourceChange, ...]:
        """Wait until AWS has computed the changes."""
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
        raise DeployError(f"AWS rejects the change set for {self.name}: {reason}")

    def _last_event(self) -> datetime | None:
        if self.describe() is None:
            return None
        newest = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return newest[0]["Timestamp"] if newest else None

    def _first_failure(self, since: datetime | None) -> str:
        """Return the reason of the first failure; later ones are cancellations."""
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


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """A packaged folder, the release that it was built from, and the stage to deploy it to."""

    folder: Path
    release: str
    stage: str
    account: str
    parameters: Mapping[str, str]

    @property
    def stack_name(self) -> str:
        return f"vigil-{self.stage}"


def deploy_stack(
    request: DeployRequest,
    session: Any,
    *,
    confirm: Callable[[tuple[ResourceChange, ...]], bool],
    on_progress: Progress,
    now: datetime,
) -> dict[str, str] | None:
    """Deploy and return the stack's outputs; None if `confirm` rejects the changes."""
    s3 = session.client("s3")
    bucket = ensure_bucket(s3, account=request.account, region=session.region_name)
    artefacts = ArtefactBucket(s3, bucket, request.account, on_progress)
    template = json.loads((request.folder / "sam.json").read_text())
    if effective_parameters(request, session.client("cloudformation")).get(snapstart.PARAMETER) == "true":
        template = snapstart.with_snapstart(template)
    url = upload_template(upload_artefacts(template, request.folder, artefacts), artefacts)
    stack = Stack(session.client("cloudformation"), request.stack_name)
    change_set = f"vigil-{now:%Y%m%d-%H%M%S}"
    on_progress("computing the changes")
    parameters = _parameters(request, template, stack, session.client("kms"))
    changes = stack.create_change_set(change_set, url=url, parameters=parameters, tags=_tags(request))
    if changes and not confirm(changes):
        stack.delete_change_set(change_set)
        return None
    for status in stack.execute_change_set(change_set) if changes else ("no changes",):
        on_progress(f"{request.stack_name}: {status}")
    outputs = stack.read_outputs()
    client_id = effective_parameters(request, stack.cloudformation).get("ConsoleClientId", "")
    if upload_console(s3, request.folder, outputs, account=request.account, client_id=client_id):
        on_progress("the console is uploaded")
    return outputs


def _parameters(
    request: DeployRequest, template: Mapping[str, Any], stack: Stack, kms: Any
) -> dict[str, str | None]:
    """Return the requested parameters; others of the template keep the value that the stack has."""
    known = template.get("Parameters", {})
    existing = (stack.describe() or {}).get("Parameters", [])
    unchanged = dict.fromkeys(entry["ParameterKey"] for entry in existing)
    keys = {} if existing else existing_keys(kms, request.stage)
    requested: dict[str, str | None] = {**unchanged, **keys, **request.parameters, "Stage": request.stage}
    return {name: value for name, value in requested.items() if name in known}


def effective_parameters(request: DeployRequest, cloudformation: Any) -> dict[str, str]:
    """Return the value that each parameter will have: the requested one, the stack's, or the default."""
    declared = json.loads((request.folder / "sam.json").read_text()).get("Parameters", {})
    stack = (Stack(cloudformation, request.stack_name).describe() or {}).get("Parameters", [])
    defaults = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
    existing = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack}
    return {**defaults, **existing, **request.parameters}


def _tags(request: DeployRequest) -> dict[str, str]:
    return {"app": "vigil", "stage": request.stage, "release": request.release}
