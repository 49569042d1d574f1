"""`vigil pause`, `vigil resume`: a lane stopped by hand, and let go again."""

from typing import Annotated

import typer

from cloud.mappings import Mapping
from cloud.paused import Paused
from cloud.queue import Queue
from cloud.state import States
from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out
from vigil.steady.minute import LANES

Lane = Annotated[str, typer.Argument(metavar="LANE", help="live or bulk.")]
KEPT = {"live": "4 days", "bulk": "14 days"}
"""How long a lane's queue keeps a message."""


def pause(lane: Lane, stage: Stage = "", data: Data = DATA) -> None:
    """Stop a lane, losing nothing: its messages wait. It stays so until somebody resumes it.

    Example: ./vigil pause bulk
    """
    cloud, states = _of(lane, stage, data)
    Paused(states).pause(lane)
    _mapping(cloud, lane).switch(enabled=False)
    waiting = Queue(cloud.client("sqs"), cloud.outputs[f"{lane.capitalize()}QueueUrl"]).waiting()
    out.print(
        f"[yellow]{lane} is paused[/]; {waiting} messages wait. The queue keeps them for {KEPT[lane]}, "
        f"after that reconcile finds the objects. Go on with `./vigil resume {lane}`"
    )


def resume(lane: Lane, stage: Stage = "", data: Data = DATA) -> None:
    """Let a paused lane go on; while a breaker is open, balance still holds it, from the next minute on.

    Example: ./vigil resume bulk
    """
    cloud, states = _of(lane, stage, data)
    Paused(states).resume(lane)
    _mapping(cloud, lane).switch(enabled=True)
    out.print(f"[green]{lane} goes on[/]")


def _of(lane: str, stage: str, data: Data) -> tuple[Deployment, States]:
    if lane not in LANES:
        fail(f"there is no lane {lane!r}: it is {' or '.join(LANES)}")
    cloud = reached(stage, data)
    return cloud, States(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])


def _mapping(cloud: Deployment, lane: str) -> Mapping:
    url, name = cloud.outputs[f"{lane.capitalize()}QueueUrl"], ["QueueArn"]
    arn = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=name)["Attributes"][
        "QueueArn"
    ]
    function = cloud.outputs[f"{lane.capitalize()}Function"]
    return Mapping(cloud.client("lambda"), function=function, queue_arn=arn)
