"""The deployment's functions, asked now: as a schedule would, or with a question."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.cli.deployment import Deployment
from infra.cli.saying import fail


def run_now(cloud: Deployment, name: str) -> dict[str, Any]:
    """One run of a scheduled function, as its schedule would start it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tick = {"version": "0", "id": "by-hand", "source": "aws.events", "detail-type": "Scheduled Event"}
    return ask(cloud, name, {**tick, "account": "", "region": "", "time": now, "resources": [], "detail": {}})


def ask(cloud: Deployment, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """A function's answer, by the name that it has in the template; a failure is told with the way out."""
    reply = cloud.patient.invoke(
        FunctionName=cloud.outputs[f"{name}Function"], Payload=json.dumps(question).encode()
    )
    told: dict[str, Any] = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        why = told.get("errorMessage", told)
        fail(f"the function {name.lower()} failed: {why}; see `./vigil logs {name.lower()}`")
    if "error" in told:
        fail(f"{told['error']['reason']}: {told['error']['message']}")
    return told
