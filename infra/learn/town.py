"""The running system as the story sees it: drops, labels, functions by hand, and what is on record."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from cloud.jobs import DynamoJobs, Kept
from cloud.labels import DynamoLabels
from cloud.library import S3Library
from cloud.lives import DynamoLives
from infra.cli.deployment import Deployment
from infra.cli.drop import settled
from infra.learn.first import MODEL
from infra.local.cloud import Cloud
from vigil.drops import drop_id
from vigil.flow.label import label
from vigil.learn.stages import Standing

TICK = {
    "version": "0",
    "id": "tick",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "account": "123456789012",
    "region": "eu-west-1",
    "time": "2026-03-02T12:00:00Z",
    "resources": [],
    "detail": {},
}
THREADS = 4
SETTLED_S = 300.0
JOB_S = 540.0


T = TypeVar("T")


class NotSo(Exception):
    """Something that the story promises did not happen; the message says what."""


@dataclass
class Town:
    """drops  every drop of the story, so that each can be asked for its end"""

    cloud: Cloud
    reached: Deployment
    drops: list[str] = field(default_factory=list)

    @property
    def lives(self) -> DynamoLives:
        return DynamoLives(self.reached.client("dynamodb"), self.reached.outputs["RecordsTable"])

    @property
    def library(self) -> S3Library:
        return S3Library(self.reached.client("s3"), self.reached.outputs["StoreBucket"])

    def put(self, pictures: Sequence[bytes], source: str) -> list[str]:
        """Drop pictures on the live lane; the ids of their drops, in order."""
        s3, bucket = self.reached.client("s3"), self.reached.outputs["PhotosBucket"]
        first = len(self.drops)

        def one(numbered: tuple[int, bytes]) -> str:
            key = f"live/{MODEL}/{source}/{first + numbered[0]:06}.png"
            answer = s3.put_object(Bucket=bucket, Key=key, Body=numbered[1])
            return drop_id(bucket, key, answer["VersionId"], MODEL)

        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(one, enumerate(pictures)))
        self.drops += made
        return made

    def ended(self, drops: Sequence[str]) -> list[dict[str, Any]]:
        """Their records once all have ended: to look for each of many would slow them all."""
        self.cloud.quiet(SETTLED_S)
        return settled(self.reached.records, drops, SETTLED_S)

    def said(self, drops: Sequence[str]) -> list[str]:
        """The label that was said of each."""
        with ThreadPoolExecutor(THREADS) as pool:
            seen = pool.map(self.reached.records.sightings, drops)
            return [rows[0]["label"] if rows else "" for rows in seen]

    def label(self, meant: Mapping[str, str], by: str) -> None:
        """A person says what each drop shows."""
        labels = DynamoLabels(self.reached.client("dynamodb"), self.reached.outputs["RecordsTable"])
        for drop, text in meant.items():
            label(drop, text, by, datetime.now(UTC), drops=self.reached.records, labels=labels)

    def invoke(self, function: str, event: Any = TICK) -> dict[str, Any]:
        """A function, as its schedule or a person would."""
        reply = self.reached.patient.invoke(
            FunctionName=self.cloud.function(function), Payload=json.dumps(event).encode()
        )
        told: dict[str, Any] = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            raise NotSo(f"{function} failed: {told}")
        return told

    def train(self, recipe: str) -> Kept:
        """Order a lesson, and wait until what it left is on record."""
        told = self.invoke("Train", {"model": MODEL, "recipe": recipe})
        if "error" in told:
            raise NotSo(f"no training: {told['error']}")
        jobs = DynamoJobs(self.reached.client("dynamodb"), self.reached.outputs["RecordsTable"])
        kept = self.until(lambda: self._finished(jobs, told["job"]), f"{told['job']} has an end", JOB_S)
        if not kept.release:
            log = self.cloud.trainings.log(told["job"])[-2000:]
            raise NotSo(f"{told['job']} left no release: {kept.note or kept.job.text}\n{log}")
        return kept

    def standing(self, release: str) -> Standing:
        """A release on record."""
        found = self.lives.book(MODEL).find(release)
        if found is None:
            raise NotSo(f"release {release} is not on record")
        return found

    def until(self, holds: Callable[[], T | None], what: str, within_s: float) -> T:
        """Ask again until it holds. Raises NotSo when the time is up."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            if (answer := holds()) is not None:
                return answer
            time.sleep(0.2)
        raise NotSo(f"not within {within_s:g} s: {what}")

    def _finished(self, jobs: DynamoJobs, name: str) -> Kept | None:
        return next((kept for kept in jobs.all() if kept.job.name == name and not kept.open), None)
