"""The story of a deployment, from a packaged folder to the outputs of a stack."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.deploy.artefacts import ArtefactBucket, upload_artefacts, upload_template
from infra.deploy.bucket import ensure_bucket
from infra.deploy.stack import ResourceChange, Stack

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What goes where: a packaged folder, the release that it was made of, and a stage."""

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
    """Deploy and return the stack's outputs; None where `agree` looked at the changes and said no."""
    s3 = session.client("s3")
    bucket = ensure_bucket(s3, account=request.account, region=session.region_name)
    artefacts = ArtefactBucket(s3, bucket, request.account, on_progress)
    template = json.loads((request.folder / "sam.json").read_text())
    url = upload_template(upload_artefacts(template, request.folder, artefacts), artefacts)
    stack = Stack(session.client("cloudformation"), request.stack_name)
    change_set = f"vigil-{now:%Y%m%d-%H%M%S}"
    on_progress("asking AWS what would change")
    changes = stack.create_change_set(
        change_set, url=url, parameters=_parameters(request, template, stack), tags=_tags(request)
    )
    if not changes:
        on_progress("nothing to change")
        return stack.read_outputs()
    if not confirm(changes):
        stack.delete_change_set(change_set)
        return None
    for status in stack.execute_change_set(change_set):
        on_progress(f"{request.stack_name}: {status}")
    return stack.read_outputs()


def _parameters(request: DeployRequest, template: Mapping[str, Any], stack: Stack) -> dict[str, str | None]:
    """What is asked for now, else what the stack has, as far as the template knows the parameter."""
    known = template.get("Parameters", {})
    existing = (stack.describe() or {}).get("Parameters", [])
    unchanged = dict.fromkeys(entry["ParameterKey"] for entry in existing)
    requested: dict[str, str | None] = {**unchanged, **request.parameters, "Stage": request.stage}
    return {name: value for name, value in requested.items() if name in known}


def _tags(request: DeployRequest) -> dict[str, str]:
    return {"app": "vigil", "stage": request.stage, "release": request.release}
