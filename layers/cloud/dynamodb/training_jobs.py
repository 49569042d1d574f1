"""Training jobs in the records table, each with the release that was made from its result."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import get_row, query_partition
from cloud.dynamodb.schema import TRAINING_JOB
from cloud.errors import translate_errors
from vigil.training.jobs import TrainingRun


class DynamoTrainingJobs:
    """One row for each specification: a second request for the same job finds the first."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def list_all(self) -> Iterator[TrainingRun]:
        pk = TRAINING_JOB.partition()
        rows = query_partition(
            self._client, self._table, pk, dependency="records", operation="list training jobs"
        )
        return map(_run_from_row, rows)

    def for_model(self, model: str) -> tuple[TrainingRun, ...]:
        """A model's jobs, newest first."""
        runs = [run for run in self.list_all() if run.job.spec.model == model]
        return tuple(sorted(runs, key=lambda run: run.job.created_at, reverse=True))

    def find(self, spec_id: str) -> TrainingRun | None:
        key = TRAINING_JOB.key(spec=spec_id)
        row = get_row(self._client, self._table, key, dependency="records", operation="read training job")
        return _run_from_row(row) if row is not None else None

    def save(self, run: TrainingRun) -> None:
        """Replace the row; concurrent writers derive the same row from the state of the job."""
        row = asdict(run)
        row |= {**row.pop("job"), "name": run.job.name}
        with translate_errors("records", "save training job"):
            self._client.put_item(
                TableName=self._table, Item=TRAINING_JOB.key(spec=run.job.spec.id) | to_item(row)
            )


def _run_from_row(row: Mapping[str, Any]) -> TrainingRun:
    return msgspec.convert({**row, "job": row}, TrainingRun)
