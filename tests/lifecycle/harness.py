"""Drives the running system: uploads, labels, training orders, and reads of the results."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.drops import DynamoDropRecords
from cloud.dynamodb.releases import DynamoReleases, DynamoTrainingJobs
from cloud.dynamodb.reviews import DynamoLabels
from cloud.s3.objects import S3ObjectStore, S3Store
from infra.local.cloud import Cloud
from tests.deployment import TERMINAL_STATES, Deployment
from tests.lifecycle.models import MODEL
from vigil.drops.messages import compute_drop_id
from vigil.releases.rollout import ReleaseRecord
from vigil.training.jobs import TrainingRun
from vigil.training.labels import label_drop
from vigil_cli.commands.models import submit_release

THREADS = 8
DROPS_TIMEOUT_S = 600.0
JOB_TIMEOUT_S = 600.0
READ_BATCH_SIZE = 100
"""Records per call."""

POLL_INTERVAL_S = 0.3

T = TypeVar("T")


class ScenarioFailed(Exception):
    """A step of the scenario did not happen."""


@dataclass
class Harness:
    """drops  ids of all uploaded drops"""

    local_cloud: Cloud
    deployment: Deployment
    drops: list[str] = field(default_factory=list)

    @cached_property
    def releases(self) -> DynamoReleases:
        return DynamoReleases(self._dynamodb, self._table_name)

    @cached_property
    def dataset_store(self) -> S3ObjectStore:
        return S3ObjectStore(self._s3, self.deployment.outputs["StoreBucket"])

    def upload(self, images: Sequence[bytes], source: str) -> list[str]:
        """Upload pictures to the live lane; return their drop ids in order."""
        bucket, numbers = self.deployment.outputs["PhotosBucket"], count(len(self.drops))
        keys = [f"live/{MODEL}/{source}/{next(numbers):06}.png" for _ in images]

        def one(key: str, picture: bytes) -> str:
            answer = self._s3.put_object(Bucket=bucket, Key=key, Body=picture)
            return compute_drop_id(bucket, key, answer["VersionId"], MODEL)

        with ThreadPoolExecutor(THREADS) as pool:
            uploaded = list(pool.map(one, keys, images))
        self.drops += uploaded
        return uploaded

    def wait_for_rows(self, drops: Sequence[str]) -> list[dict[str, Any]]:
        """Wait until all drops are final; return their records."""
        rows: dict[str, dict[str, Any]] = {}
        pending, deadline_s = list(drops), time.monotonic() + DROPS_TIMEOUT_S
        while pending:
            completed = self._read_completed(pending[:READ_BATCH_SIZE])
            rows |= completed
            pending = [drop for drop in pending if drop not in completed]
            if time.monotonic() > deadline_s:
                raise ScenarioFailed(
                    f"{len(pending)} of {len(drops)} drops have no end, such as {pending[0]}"
                )
            if not completed:
                time.sleep(POLL_INTERVAL_S)
        return [rows[drop] for drop in drops]

    def predicted_labels(self, drops: Sequence[str]) -> list[str]:
        """Return the predicted label of each drop; empty without a sighting."""
        with ThreadPoolExecutor(THREADS) as pool:
            sightings = pool.map(self.deployment.records.sightings, drops)
            return [rows[0]["label"] if rows else "" for rows in sightings]

    def allow_training(self) -> None:
        """Activate rules that allow training on every source."""
        S3Store(self.deployment.client("s3"), self.dataset_store.bucket).put_object(
            "rules.toml", b'rules = []\n[sources."*"]\ntraining_policy = "always"\n'
        )

    def label_drops(self, label_by_drop: Mapping[str, str], reviewer: str) -> None:
        """Save a label of the reviewer for each drop."""
        labels = DynamoLabels(self._dynamodb, self._table_name)
        records = DynamoDropRecords(self._dynamodb, self._table_name, retention=timedelta(days=1))

        def one(drop: str, text: str) -> None:
            label_drop(drop, text, reviewer, datetime.now(UTC), drops=records, labels=labels)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, label_by_drop, label_by_drop.values()))

    def order_training(self, recipe: str) -> str:
        """Order a training job; return its name."""
        payload = json.dumps({"model": MODEL, "recipe": recipe}).encode()
        reply = self.deployment.slow_lambda_client.invoke(
            FunctionName=self.deployment.outputs["TrainFunction"], Payload=payload
        )
        answer: dict[str, Any] = json.loads(reply["Payload"].read())
        if "job" not in answer:
            raise ScenarioFailed(f"no training: {answer}")
        return str(answer["job"])

    def register_release(self, files: Mapping[str, bytes]) -> str:
        """Register an external release; return its id."""
        answer = submit_release(self.deployment, MODEL, files)
        if "release" not in answer:
            raise ScenarioFailed(f"the release that was brought is refused: {answer}")
        return str(answer["release"])

    def job_names(self) -> list[str]:
        """Return the names of all training jobs."""
        return [stored.job.name for stored in self._job_store.list_all()]

    def wait_for_job(self, earlier_jobs: Sequence[str] = ()) -> TrainingRun:
        """Wait for a job that is not in `earlier_jobs`; return its result."""
        finished = self.wait_until(
            lambda: self._find_finished_job(earlier_jobs), "a training job has an end", JOB_TIMEOUT_S
        )
        if not finished.release:
            log = self.local_cloud.training_jobs.log(finished.job.name)[-2000:]
            raise ScenarioFailed(
                f"{finished.job.name} left no release: {finished.failure_note or finished.job.detail}\n{log}"
            )
        return finished

    def release_record(self, release: str) -> ReleaseRecord:
        """Return the record of a release."""
        record = self.releases.read_releases(MODEL).find(release)
        if record is None:
            raise ScenarioFailed(f"release {release} is not on record")
        return record

    def wait_until(self, poll: Callable[[], T | None], description: str, timeout_s: float) -> T:
        """Poll until the result is truthy. Raises ScenarioFailed when the time is up."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if (result := poll()) is not None:
                return result
            time.sleep(POLL_INTERVAL_S)
        raise ScenarioFailed(f"not within {timeout_s:g} s: {description}")

    @cached_property
    def _s3(self) -> Any:
        return self.deployment.client("s3")

    @cached_property
    def _dynamodb(self) -> Any:
        return self.deployment.client("dynamodb")

    @property
    def _table_name(self) -> str:
        return self.deployment.outputs["RecordsTable"]

    @cached_property
    def _job_store(self) -> DynamoTrainingJobs:
        return DynamoTrainingJobs(self._dynamodb, self._table_name)

    def _read_completed(self, drops: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the records of completed drops."""
        keys = [to_item({"pk": f"drop#{drop}", "sk": "drop"}) for drop in drops]
        request = {self._table_name: {"Keys": keys, "ConsistentRead": True}}
        items = self._dynamodb.batch_get_item(RequestItems=request)["Responses"][self._table_name]
        rows = [from_item(one) for one in items]
        return {row["drop_id"]: row for row in rows if row["state"] in TERMINAL_STATES}

    def _find_finished_job(self, earlier_jobs: Sequence[str]) -> TrainingRun | None:
        finished_jobs = (
            stored
            for stored in self._job_store.list_all()
            if stored.job.name not in earlier_jobs and not stored.is_open
        )
        return next(finished_jobs, None)
