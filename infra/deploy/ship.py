"""The story of a deployment, from a packaged folder to the outputs of a stack."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.deploy.artefacts import Store, upload, upload_template
from infra.deploy.bucket import ensure_bucket
from infra.deploy.stack import Change, Stack

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shipment:
    """What goes where: a packaged folder, the release that it was made of, and a stage."""

    folder: Path
    release: str
    stage: str
    account: str
    parameters: Mapping[str, str]

    @property
    def stack(self) -> str:
        return f"vigil-{self.stage}"


def ship(
    shipment: Shipment,
    session: Any,
    *,
    agree: Callable[[tuple[Change, ...]], bool],
    tell: Progress,
    now: datetime,
) -> dict[str, str] | None:
    """Deploy and return the stack's outputs; None where `agree` looked at the changes and said no."""
    s3 = session.client("s3")
    bucket = ensure_bucket(s3, account=shipment.account, region=session.region_name)
    store = Store(s3, bucket, shipment.account, tell)
    template = json.loads((shipment.folder / "sam.json").read_text())
    url = upload_template(upload(template, shipment.folder, store), store)
    stack = Stack(session.client("cloudformation"), shipment.stack)
    change_set = f"vigil-{now:%Y%m%d-%H%M%S}"
    tell("asking AWS what would change")
    changes = stack.prepare(
        change_set, url=url, parameters=_parameters(shipment, template, stack), tags=_tags(shipment)
    )
    if not changes:
        tell("nothing to change")
        return stack.outputs()
    if not agree(changes):
        stack.discard(change_set)
        return None
    for status in stack.execute(change_set):
        tell(f"{shipment.stack}: {status}")
    return stack.outputs()


def _parameters(shipment: Shipment, template: Mapping[str, Any], stack: Stack) -> dict[str, str | None]:
    """What is asked for now, else what the stack has, as far as the template knows the parameter."""
    known = template.get("Parameters", {})
    had = (stack.description() or {}).get("Parameters", [])
    kept = dict.fromkeys(entry["ParameterKey"] for entry in had)
    wanted: dict[str, str | None] = {**kept, **shipment.parameters, "Stage": shipment.stage}
    return {name: value for name, value in wanted.items() if name in known}


def _tags(shipment: Shipment) -> dict[str, str]:
    return {"app": "vigil", "stage": shipment.stage, "release": shipment.release}
