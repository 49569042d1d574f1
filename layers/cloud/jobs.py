"""Training jobs as rows of the records table: jobs <lesson>, each with what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.learn.dispatch import ENDED, Job
from vigil.learn.training import Lesson

PK = "jobs"


@dataclass(frozen=True, slots=True)
class Kept:
    """A job, and the release that was made of what it left; "" while there is none.

    note       why there is none and never will be
    expected   dollars, before; `most` at most
    usd        dollars, after
    seconds    that it was at work
    """

    job: Job
    release: str = ""
    note: str = ""
    expected: float = 0.0
    most: float = 0.0
    usd: float = 0.0
    seconds: float = 0.0

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        done = self.job.state == "done" and not self.release and not self.note
        return done or self.job.state not in ENDED


class DynamoJobs:
    """One row a lesson: whoever asks for the same again finds it."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def all(self) -> Iterator[Kept]:
        values = item({":pk": PK})
        for row in every(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        ):
            yield _kept(fields(row))

    def of(self, model: str) -> tuple[Kept, ...]:
        """A model's jobs, the one that was asked for last first."""
        mine = [kept for kept in self.all() if kept.job.lesson.model == model]
        return tuple(sorted(mine, key=lambda kept: kept.job.asked, reverse=True))

    def find(self, lesson: str) -> Kept | None:
        key = item({"pk": PK, "sk": lesson})
        with faults("read training job"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _kept(fields(answer["Item"])) if "Item" in answer else None

    def keep(self, kept: Kept) -> None:
        """The last word wins: each follows from the service's own, so that whoever is late says the same."""
        job = kept.job
        row: dict[str, Any] = {
            "pk": PK,
            "sk": job.lesson.id,
            "lesson": asdict(job.lesson),
            "state": job.state,
        }
        row |= {"since": job.since.isoformat(), "asked": job.asked.isoformat(), "attempt": job.attempt}
        row |= {"machine": job.machine, "round": job.round, "losses": job.losses, "text": job.text}
        row |= {"due": job.due.isoformat() if job.due else None, "name": job.name}
        row |= {"release": kept.release, "note": kept.note, "usd": kept.usd}
        row |= {"expected": kept.expected, "most": kept.most, "seconds": kept.seconds}
        with faults("keep training job"):
            self._client.put_item(TableName=self._table, Item=item(row))


def _kept(row: Mapping[str, Any]) -> Kept:
    job = Job(
        lesson=Lesson(**{"parent": None, **row["lesson"]}),
        state=row["state"],
        since=datetime.fromisoformat(row["since"]),
        asked=datetime.fromisoformat(row["asked"]),
        attempt=row["attempt"],
        machine=row["machine"],
        round=row["round"],
        due=datetime.fromisoformat(row["due"]) if row.get("due") else None,
        losses=row.get("losses", 0),
        text=row["text"],
    )
    dollars = {name: float(row.get(name, 0)) for name in ("expected", "most", "usd", "seconds")}
    return Kept(job, row["release"], row["note"], **dollars)
