"""`vigil reconcile`: the bucket held against the ledger now, instead of at the next tick."""

import json
from datetime import UTC, datetime
from typing import Any

import typer

from cloud.state import States
from cloud.states import load_walk
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out


def reconcile(stage: Stage = "", data: Data = DATA) -> None:
    """Announce every object that has no end again, unless it was of late; say how complete the ledger is."""
    cloud = reached(stage, data)
    announced, told = 0, _walk(cloud)
    announced += told["announced"]
    while told["cursor"]:
        told = _walk(cloud)
        announced += told["announced"]
    whole = load_walk(States(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])).whole
    if whole is None:
        fail("the walk did not come to the bucket's end; see `./vigil logs reconcile`")
    out.print(
        f"complete {whole.completeness:.2%}: {whole.settled} of {whole.objects} objects have an end; "
        f"{announced} announced again, {whole.young} too young to be judged"
    )
    if whole.settled < whole.objects:
        raise typer.Exit(1)


def _walk(cloud: Deployment) -> dict[str, Any]:
    """One run of the function, as its schedule would start it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tick = {"version": "0", "id": "by-hand", "source": "aws.events", "detail-type": "Scheduled Event"}
    tick |= {"account": "", "region": "", "time": now}
    payload = json.dumps({**tick, "resources": [], "detail": {}}).encode()
    reply = cloud.client("lambda").invoke(FunctionName=cloud.outputs["ReconcileFunction"], Payload=payload)
    told: dict[str, Any] = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        fail(f"the reconcile function failed: {told.get('errorMessage', told)}; see `./vigil logs reconcile`")
    return told
