"""`vigil reconcile`: the bucket held against the ledger now, instead of at the next tick."""

import typer

from cloud.state import States
from cloud.states import load_walk
from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA
from infra.cli.running import run_now
from infra.cli.saying import fail, out


def reconcile(stage: Stage = "", data: Data = DATA) -> None:
    """Announce every object that has no end again, unless it was of late; exit code 1 while there are any.

    What comes out is how complete the ledger is: objects that have their end, of all objects.

    Example: ./vigil reconcile
    """
    cloud = reached(stage, data)
    told = run_now(cloud, "Reconcile")
    announced = told["announced"]
    while told["cursor"]:
        told = run_now(cloud, "Reconcile")
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
