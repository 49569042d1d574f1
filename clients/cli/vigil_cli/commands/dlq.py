"""Triage's own tools, for a person at a command line: dead letters, the ledger, and lines that say why."""

import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cloud.dead_letters import SqsDeadLetters
from cloud.dynamodb.drops import DynamoDropRecords
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.maintenance_state import DynamoFaultCases
from cloud.dynamodb.state import DynamoStateStore
from cloud.sns import SnsOperators
from vigil.drops.ledger import DropRecord
from vigil.reliability.controller import LANES
from vigil.reliability.dead_letters import (
    DeadLetter,
    Quarantine,
    Redrive,
    TriageDecision,
    fingerprint_of,
)
from vigil.reliability.triage import TriagePorts, TriageReport, carry_out
from vigil_cli.console import (
    fail,
    format_age,
    new_table,
    out,
)
from vigil_cli.deployment import (
    DataOption,
    Deployment,
    StageOption,
    connect,
)
from vigil_cli.paths import DATA

PEEK_TIMEOUT = timedelta(seconds=5)
"""How long letters are hidden from triage while they are looked at."""

_RECORD_RETENTION = timedelta(days=90)


def triage_ports(cloud: Deployment) -> TriagePorts:
    """As the triage function has it, except that dependencies are the person's own judgement."""
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["RecordsTable"]
    history = DynamoDropRecords(dynamodb, table, retention=_RECORD_RETENTION)
    return TriagePorts(
        queues=_dead_letter_queues(cloud),
        records=history,
        notes=history,
        cases=DynamoFaultCases(DynamoStateStore(dynamodb, table)),
        ledger=DynamoLedger(dynamodb, table, lane="bulk", retention=_RECORD_RETENTION),
        notifier=SnsOperators(cloud.client("sns"), cloud.outputs["OpsTopicArn"]),
        is_healthy=lambda _: True,
        clock=lambda: datetime.now(UTC),
    )


def receive_dead_letters(cloud: Deployment, id_prefix: str, max_per_lane: int) -> list[DeadLetter]:
    """Dead letters whose id begins so, out of so many in each lane; the others are let go at once."""
    selected: dict[str, DeadLetter] = {}
    for queue in _dead_letter_queues(cloud).values():
        for dead_letter in queue.receive(max_per_lane):
            if dead_letter.id.startswith(id_prefix):
                selected[dead_letter.id] = dead_letter
            else:
                queue.make_visible(dead_letter)
    return list(selected.values())


def make_visible(cloud: Deployment, dead_letters: Iterable[DeadLetter]) -> None:
    """They can be received again at once."""
    queues = _dead_letter_queues(cloud)
    for dead_letter in dead_letters:
        queues[dead_letter.lane].make_visible(dead_letter)


def _dead_letter_queues(cloud: Deployment) -> dict[str, SqsDeadLetters]:
    return {lane: _dead_letter_queue(cloud, lane) for lane in LANES}


def _dead_letter_queue(cloud: Deployment, lane: str) -> SqsDeadLetters:
    sqs: Any = cloud.client("sqs")
    name = lane.capitalize()
    return SqsDeadLetters(
        sqs,
        dead_letter_url=cloud.outputs[f"{name}DeadLettersUrl"],
        lane_queue_url=cloud.outputs[f"{name}QueueUrl"],
        lane=lane,
        bucket=cloud.outputs["PhotosBucket"],
        visibility_timeout=PEEK_TIMEOUT,
    )


# MERGED: `vigil dlq`: dead letters looked at, sent back or set aside, each with a line in the ledger to say
#   why.

app = typer.Typer(
    help="Dead letters: `list`, `show`, `redrive`, `quarantine`. Triage mends by itself; this is for people.",
    no_args_is_help=True,
)
MessageIdArgument = Annotated[str, typer.Argument(help="A letter, by its id or the beginning of it.")]
ReasonOption = Annotated[str, typer.Option(help="The reason, for the ledger.")]
LimitOption = Annotated[int, typer.Option("--most", "-n", help="How many letters of a lane at most.", min=1)]


@app.command("list")
def list_dead_letters(most: LimitOption = 50, stage: StageOption = "", data: DataOption = DATA) -> None:
    """Every dead letter, with where and how its drop failed.

    Example: ./vigil dlq list
    """
    cloud = connect(stage, data)
    dead_letters = receive_dead_letters(cloud, "", most)
    make_visible(cloud, dead_letters)
    records = triage_ports(cloud).records.read_records(
        {drop.id for dead_letter in dead_letters for drop in dead_letter.drops}
    )
    table = new_table("Dead letters", "letter", "lane", "sent", ">sent back", "what happened", "drop")
    for message in sorted(dead_letters, key=lambda one: one.sent_at):
        drop = message.drops[0].id if message.drops else ""
        fault = fingerprint_of(records.get(drop))
        description = f"{fault.stage}: {fault.kind}: {fault.message}" if drop else "announces nothing"
        table.add_row(
            message.id[:8],
            message.lane,
            format_age(message.sent_at),
            str(message.redrives),
            description,
            drop[:8],
        )
    out.print(table if dead_letters else "no dead letters")


@app.command()
def show(message_id: MessageIdArgument, stage: StageOption = "", data: DataOption = DATA) -> None:
    """One letter whole, as JSON, with the ledger's record of each drop in it.

    Example: ./vigil dlq show 8bba0e49
    """
    cloud = connect(stage, data)
    selected = _select(cloud, message_id)
    make_visible(cloud, selected)
    dead_letter = selected[0]
    document = {
        "letter": dead_letter.id,
        "lane": dead_letter.lane,
        "sent": dead_letter.sent_at.isoformat(),
        "redrives": dead_letter.redrives,
        "suspect": asdict(dead_letter.suspect) if dead_letter.suspect else None,
        "body": dead_letter.body,
        "drops": [cloud.records.find_drop(drop.id) for drop in dead_letter.drops],
    }
    print(json.dumps(document, indent=2, default=str))


@app.command()
def redrive(
    message_id: Annotated[str, typer.Argument(help="A letter, or `all`.")],
    reason: ReasonOption = "sent back by hand",
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Send a letter back to its lane, or all of them.

    Example: ./vigil dlq redrive 8bba0e49 --reason "the key's policy is mended"
    """
    cloud = connect(stage, data)
    report = _carry_out_all(triage_ports(cloud), [Redrive(one, reason) for one in _select(cloud, message_id)])
    out.print(f"[green]sent back[/] {report.redriven}")


@app.command()
def quarantine(
    message_id: MessageIdArgument, reason: ReasonOption, stage: StageOption = "", data: DataOption = DATA
) -> None:
    """End a letter's drops as quarantined, for a reason: they are never tried again.

    Example: ./vigil dlq quarantine 8bba0e49 --reason "a test of the camera's maker"
    """
    cloud = connect(stage, data)
    ports, selected = triage_ports(cloud), _select(cloud, message_id)
    records = ports.records.read_records({drop.id for one in selected for drop in one.drops})
    decisions = [
        Quarantine(one, one.drops, _failed_stage(one, records), "by-hand", reason) for one in selected
    ]
    report = _carry_out_all(ports, decisions)
    out.print(f"[yellow]quarantined[/] {report.quarantined}")
    if report.waiting:
        fail(f"{report.waiting} stay: a worker took them up meanwhile; look again with `./vigil dlq list`")


def _failed_stage(dead_letter: DeadLetter, records: Mapping[str, DropRecord]) -> str:
    return fingerprint_of(records.get(dead_letter.drops[0].id)).stage if dead_letter.drops else ""


def _select(cloud: Deployment, id_prefix: str) -> list[DeadLetter]:
    dead_letters = receive_dead_letters(cloud, "" if id_prefix == "all" else id_prefix, 1000)
    if not dead_letters:
        fail(
            "there are no dead letters" if id_prefix == "all" else f"no dead letter begins with {id_prefix!r}"
        )
    return dead_letters


def _carry_out_all(ports: TriagePorts, decisions: Sequence[TriageDecision]) -> TriageReport:
    report = TriageReport()
    for decision in decisions:
        report = carry_out(decision, ports, f"by hand: {getpass.getuser()}", report)
    return report
