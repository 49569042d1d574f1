"""`vigil pause`, `vigil resume`: a lane stopped by hand, and let go again."""

from typing import Annotated

import typer

from cloud.dynamodb.state import DynamoStateStore, PausedLanes
from cloud.lambda_api import EventSourceMapping
from cloud.sqs import SqsQueue
from vigil.reliability.controller import LANES
from vigil_cli.console import fail, out
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
)
from vigil_cli.paths import DATA

LaneArgument = Annotated[str, typer.Argument(metavar="LANE", help="live or bulk.")]
QUEUE_RETENTION = {"live": "4 days", "bulk": "14 days"}
"""How long a lane's queue keeps a message."""


def pause(lane: LaneArgument, stage: StageOption = "", data: DataOption = DATA) -> None:
    """Stop a lane, losing nothing: its messages wait. It stays so until somebody resumes it.

    Example: ./vigil pause bulk
    """
    cloud, states = _connect_lane(lane, stage, data)
    PausedLanes(states).pause(lane)
    _event_source_mapping(cloud, lane).set_enabled(enabled=False)
    waiting = SqsQueue(cloud.client("sqs"), cloud.outputs[f"{lane.capitalize()}QueueUrl"]).visible_messages()
    out.print(
        f"[yellow]{lane} is paused[/]; {waiting} messages wait. "
        f"The queue keeps them for {QUEUE_RETENTION[lane]}, after that reconcile finds "
        f"the objects. Go on with `./vigil resume {lane}`"
    )


def resume(lane: LaneArgument, stage: StageOption = "", data: DataOption = DATA) -> None:
    """Let a paused lane go on; while a breaker is open, balance still holds it, from the next minute on.

    Example: ./vigil resume bulk
    """
    cloud, states = _connect_lane(lane, stage, data)
    PausedLanes(states).resume(lane)
    _event_source_mapping(cloud, lane).set_enabled(enabled=True)
    out.print(f"[green]{lane} goes on[/]")


def _connect_lane(lane: str, stage: str, data: DataOption) -> tuple[Deployment, DynamoStateStore]:
    if lane not in LANES:
        fail(f"there is no lane {lane!r}: it is {' or '.join(LANES)}")
    cloud = connect(stage, data)
    return cloud, DynamoStateStore(cloud.client("dynamodb"), cloud.outputs["RecordsTable"])


def _event_source_mapping(cloud: Deployment, lane: str) -> EventSourceMapping:
    url, name = cloud.outputs[f"{lane.capitalize()}QueueUrl"], ["QueueArn"]
    arn = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=name)["Attributes"][
        "QueueArn"
    ]
    function = cloud.outputs[f"{lane.capitalize()}Function"]
    return EventSourceMapping(cloud.client("lambda"), function=function, queue_arn=arn)
