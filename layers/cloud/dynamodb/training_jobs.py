"""Training jobs as rows of the records table: jobs <lesson>, each with what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import query_all
from cloud.errors import translate_errors
from vigil.training.jobs import TERMINAL_STATES, TrainingJob, TrainingSpec

JOBS_PARTITION = "jobs"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A job, and the release that was made of what it left; "" while there is none.

    note       why there is none and never will be
    expected   dollars, before; `most` at most
    usd        dollars, after
    seconds    that it was at work
    """

    job: TrainingJob
    release: str = ""
    failure_note: str = ""
    expected_usd: float = 0.0
    max_usd: float = 0.0
    cost_usd: float = 0.0
    run_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        awaits_release = self.job.state == "done" and not self.release and not self.failure_note
        return awaits_release or self.job.state not in TERMINAL_STATES


class DynamoTrainingJobs:
    """One row a lesson: whoever asks for the same again finds it."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def list_all(self) -> Iterator[TrainingRun]:
        values = to_item({":pk": JOBS_PARTITION})
        for row in query_all(
            self._client,
            dependency="records",
            operation="list training jobs",
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        ):
            yield _run_from_row(from_item(row))

    def for_model(self, model: str) -> tuple[TrainingRun, ...]:
        """A model's jobs, the one that was asked for last first."""
        runs = [run for run in self.list_all() if run.job.spec.model == model]
        return tuple(sorted(runs, key=lambda run: run.job.created_at, reverse=True))

    def find(self, spec_id: str) -> TrainingRun | None:
        key = to_item({"pk": JOBS_PARTITION, "sk": spec_id})
        with translate_errors("records", "read training job"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _run_from_row(from_item(answer["Item"])) if "Item" in answer else None

    def save(self, run: TrainingRun) -> None:
        """The last word wins: each follows from the service's own, so that whoever is late says the same."""
        job = run.job
        row: dict[str, Any] = {
            "pk": JOBS_PARTITION,
            "sk": job.spec.id,
            "spec": asdict(job.spec),
            "state": job.state,
        }
        row |= {
            "since": job.since.isoformat(),
            "created_at": job.created_at.isoformat(),
            "attempt": job.attempt,
        }
        row |= {
            "instance_index": job.instance_index,
            "rounds": job.rounds,
            "interruptions": job.interruptions,
            "detail": job.detail,
        }
        row |= {
            "next_attempt_at": job.next_attempt_at.isoformat() if job.next_attempt_at else None,
            "name": job.name,
        }
        row |= {"release": run.release, "failure_note": run.failure_note, "cost_usd": run.cost_usd}
        row |= {"expected_usd": run.expected_usd, "max_usd": run.max_usd, "run_s": run.run_s}
        with translate_errors("records", "save training job"):
            self._client.put_item(TableName=self._table, Item=to_item(row))


def _run_from_row(row: Mapping[str, Any]) -> TrainingRun:
    job = TrainingJob(
        spec=TrainingSpec(**{"parent": None, **row["spec"]}),
        state=row["state"],
        since=datetime.fromisoformat(row["since"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        attempt=row["attempt"],
        instance_index=row["instance_index"],
        rounds=row["rounds"],
        next_attempt_at=datetime.fromisoformat(row["next_attempt_at"])
        if row.get("next_attempt_at")
        else None,
        interruptions=row.get("interruptions", 0),
        detail=row["detail"],
    )
    amounts = {name: float(row.get(name, 0)) for name in ("expected_usd", "max_usd", "cost_usd", "run_s")}
    return TrainingRun(job, row["release"], row["failure_note"], **amounts)
