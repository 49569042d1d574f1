"""Releases in the records table, with their stages and the pointers to them, and the jobs that train them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.pointers import pointers_from_row, read_pointers_row
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import POINTERS, RELEASE, TRAINING_JOB
from vigil.errors import ConcurrentUpdate
from vigil.releases.lifecycle import ReleasePointers, ReleaseState
from vigil.releases.rollout import ModelReleases, ReleaseRecord, RolloutChange
from vigil.training.jobs import TrainingRun

_STAGE_ATTRIBUTES = ("stage", "since", "history")


class DynamoReleases:
    """Pointers and stages change in one transaction; the stream publishes the release rows."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def models(self) -> tuple[str, ...]:
        """Every model of which a release was ever registered."""
        return tuple(row["sk"] for row in self._partition(POINTERS.partition()))

    def read_releases(self, model: str) -> ModelReleases:
        """A model's pointers and releases, read consistently."""
        row = read_pointers_row(self._rows, model)
        records = map(_record_from_row, self._partition(RELEASE.partition(model=model)))
        return ModelReleases(model, pointers_from_row(row), row.get("revision", 0), tuple(records))

    def trained_on(self, model: str, data: str) -> tuple[str, ...]:
        """The releases that were trained on a data set."""
        rows = self._partition(RELEASE.partition(model=model))
        return tuple(row["release"] for row in rows if row.get("data") == data)

    def pointers(self, model: str) -> ReleasePointers:
        """A model's pointers, read consistently."""
        return pointers_from_row(read_pointers_row(self._rows, model))

    def register(self, record: ReleaseRecord, *, bundled: str | None, data: str, parent: str | None) -> bool:
        """Store a new release; False if it is registered already.

        bundled  becomes the active release of a model without pointers
        """
        state = record.state
        row = asdict(state) | {
            "metric": asdict(record.metric),
            "gain": asdict(record.gain) if record.gain else None,
            "data": data,
            "parent": parent,
        }
        first = {"active": bundled, "revision": 0}
        self._rows.put_new(POINTERS.key(model=state.model) | to_item(first), "register release")
        key = RELEASE.key(model=state.model, release=state.release)
        return self._rows.put_new(key | to_item(row), "register release")

    def save_change(self, releases: ModelReleases, change: RolloutChange) -> None:
        """Write the pointers and stages together. Raises ConcurrentUpdate."""
        row = {"revision": releases.revision + 1, **asdict(change.pointers)}
        pointers_put = self._rows.put_write(
            POINTERS.key(model=releases.model) | to_item(row),
            ConditionExpression="attribute_not_exists(pk) OR revision = :revision",
            ExpressionAttributeValues=to_item({":revision": releases.revision}),
        )
        writes = [pointers_put, *map(self._stage_update, change.states)]
        if self._rows.transact(writes, "save release change"):
            raise ConcurrentUpdate(f"the releases of {releases.model} have changed since they were read")

    def _partition(self, pk: str) -> Iterator[dict[str, Any]]:
        return self._rows.partition(pk, "read releases")

    def _stage_update(self, state: ReleaseState) -> Item:
        row = asdict(state)
        return self._rows.update_write(
            RELEASE.key(model=state.model, release=state.release),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in _STAGE_ATTRIBUTES),
            ExpressionAttributeNames={f"#{name}": name for name in _STAGE_ATTRIBUTES},
            ExpressionAttributeValues=to_item({f":{name}": row[name] for name in _STAGE_ATTRIBUTES}),
        )


def _record_from_row(row: Mapping[str, Any]) -> ReleaseRecord:
    return msgspec.convert({**row, "state": row}, ReleaseRecord)


class DynamoTrainingJobs:
    """One row for each specification: a second request for the same job finds the first."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def list_all(self) -> Iterator[TrainingRun]:
        return map(_run_from_row, self._rows.partition(TRAINING_JOB.partition(), "list training jobs"))

    def for_model(self, model: str) -> tuple[TrainingRun, ...]:
        """A model's jobs, newest first."""
        runs = [run for run in self.list_all() if run.job.spec.model == model]
        return tuple(sorted(runs, key=lambda run: run.job.created_at, reverse=True))

    def find(self, spec_id: str) -> TrainingRun | None:
        row = self._rows.get(TRAINING_JOB.key(spec=spec_id), "read training job")
        return _run_from_row(row) if row is not None else None

    def save(self, run: TrainingRun) -> None:
        """Replace the row; concurrent writers derive the same row from the state of the job."""
        row = asdict(run)
        row |= {**row.pop("job"), "name": run.job.name}
        self._rows.put(TRAINING_JOB.key(spec=run.job.spec.id) | to_item(row), "save training job")


def _run_from_row(row: Mapping[str, Any]) -> TrainingRun:
    return msgspec.convert({**row, "job": row}, TrainingRun)
