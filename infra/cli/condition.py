"""How a deployment is, read from what those who mend write down, and from its queues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cloud.metrics import CloudWatch
from cloud.paused import Paused
from cloud.state import States
from cloud.states import KeptCases, load_steady, load_walk
from cloud.tallies import DynamoTallies
from infra.cli.alarms import Alarm, alarms_of
from infra.cli.deployment import Deployment
from infra.cli.places import ROOT
from vigil.steady.balance import Bounds
from vigil.steady.counted import Counted
from vigil.steady.letters import Case
from vigil.steady.minute import LANES, Steady, begin, state_of
from vigil.steady.promises import Promise, followed, read_objectives
from vigil.steady.reconcile import Census

LOOK_BACK = timedelta(hours=1)
"""What rates are of: as long as lanes' tallies are kept."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: messages by where they are, its workers, what was counted in the last hour."""

    name: str
    waiting: int
    in_hand: int
    dead: int
    workers: int
    breaker: str
    paused: bool
    calls: int
    failures: int
    age_s: float

    @property
    def answered(self) -> float | None:
        """Deliveries that came to an answer at once / all, 0 to 1; None where there were none."""
        return 1 - self.failures / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class Condition:
    """All that `vigil status` shows; `steady` is None before balance has ever run."""

    lanes: Sequence[Lane]
    steady: Steady | None
    census: Census | None
    cases: Sequence[Case]
    untold: int
    alarms: Sequence[Alarm]
    promises: Sequence[Promise] = ()

    @property
    def ringing(self) -> Sequence[Alarm]:
        return [alarm for alarm in self.alarms if alarm.rings]


def condition(cloud: Deployment) -> Condition:
    """Look once."""
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["RecordsTable"]
    states, tallies, now = States(dynamodb, table), DynamoTallies(dynamodb, table), datetime.now(UTC)
    steady = load_steady(states, lambda: begin(Bounds(0), now)) if states.get("steady") else None
    paused = Paused(states).lanes()
    counted = {lane: tallies.since(lane, now - LOOK_BACK) for lane in LANES}
    return Condition(
        [_lane(cloud, name, steady, counted[name], paused=name in paused) for name in LANES],
        steady,
        load_walk(states).whole,
        sorted(KeptCases(states).load().values(), key=lambda case: case.since, reverse=True),
        _messages(cloud, "PublishDeadLettersUrl")[0],
        alarms_of(cloud),
        _promises(cloud, now),
    )


def _promises(cloud: Deployment, now: datetime) -> Sequence[Promise]:
    """How each is kept, by what the functions counted."""
    objectives = read_objectives((ROOT / "infra" / "slo.toml").read_text("utf-8"))
    stage = str(cloud.outputs["RecordsTable"]).removeprefix("vigil-").removesuffix("-records")
    sums = partial(CloudWatch(cloud.client("cloudwatch")).sums, f"Vigil/{stage}", now=now)
    return followed(objectives, sums)


def _lane(
    cloud: Deployment, name: str, steady: Steady | None, counted: Sequence[Counted], *, paused: bool
) -> Lane:
    waiting, in_hand = _messages(cloud, f"{name.capitalize()}QueueUrl")
    share: Mapping[str, Any] = {"live": steady.share.live, "bulk": steady.share.bulk} if steady else {}
    return Lane(
        name=name,
        waiting=waiting,
        in_hand=in_hand,
        dead=sum(_messages(cloud, f"{name.capitalize()}DeadLettersUrl")),
        workers=share.get(name, 0),
        breaker=state_of(name, steady.breakers) if steady else "closed",
        paused=paused,
        calls=sum(one.calls for one in counted),
        failures=sum(sum(one.failures.values()) for one in counted),
        age_s=max((one.age_s for one in counted[-6:]), default=0.0),
    )


def _messages(cloud: Deployment, output: str) -> tuple[int, int]:
    """Visible or delayed, and in a worker's hand."""
    if output not in cloud.outputs:
        return 0, 0
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
    shown = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs[output], AttributeNames=names)
    visible, delayed, in_hand = (int(shown["Attributes"][name]) for name in names)
    return visible + delayed, in_hand
