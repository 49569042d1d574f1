"""Triage's own tools, for a person at a command line: dead letters, the ledger, and lines that say why."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.history import DynamoHistory
from cloud.ledger import DynamoLedger
from cloud.letters import SqsDeadLetters
from cloud.operators import SnsOperators
from cloud.state import States
from cloud.states import KeptCases
from infra.cli.deployment import Deployment
from vigil.flow.triage import Ward
from vigil.steady.letters import Letter
from vigil.steady.minute import LANES

PEEK = timedelta(seconds=5)
"""How long letters are hidden from triage while they are looked at."""

_RETENTION = timedelta(days=90)


def ward(cloud: Deployment) -> Ward:
    """As the triage function has it, except that dependencies are the person's own judgement."""
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["RecordsTable"]
    history = DynamoHistory(dynamodb, table, retention=_RETENTION)
    return Ward(
        letters=_queues(cloud),
        records=history,
        diary=history,
        cases=KeptCases(States(dynamodb, table)),
        ledger=DynamoLedger(dynamodb, table, lane="bulk", retention=_RETENTION),
        operators=SnsOperators(cloud.client("sns"), cloud.outputs["OpsTopicArn"]),
        healthy=lambda _: True,
        clock=lambda: datetime.now(UTC),
    )


def letters(cloud: Deployment, which: str, most: int) -> list[Letter]:
    """Dead letters whose id begins so, out of so many in each lane; the others are let go at once."""
    chosen: dict[str, Letter] = {}
    for queue in _queues(cloud).values():
        for letter in queue.receive(most):
            if letter.id.startswith(which):
                chosen[letter.id] = letter
            else:
                queue.let_go(letter)
    return list(chosen.values())


def let_go(cloud: Deployment, looked_at: Iterable[Letter]) -> None:
    """They can be received again at once."""
    queues = _queues(cloud)
    for letter in looked_at:
        queues[letter.lane].let_go(letter)


def _queues(cloud: Deployment) -> dict[str, SqsDeadLetters]:
    return {lane: _letters(cloud, lane) for lane in LANES}


def _letters(cloud: Deployment, lane: str) -> SqsDeadLetters:
    sqs: Any = cloud.client("sqs")
    name = lane.capitalize()
    return SqsDeadLetters(
        sqs,
        dead_url=cloud.outputs[f"{name}DeadLettersUrl"],
        lane_url=cloud.outputs[f"{name}QueueUrl"],
        lane=lane,
        bucket=cloud.outputs["PhotosBucket"],
        hidden=PEEK,
    )
