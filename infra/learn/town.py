"""The running system as the world outside sees it: drops, labels, an order, and what is on record."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

from cloud.items import fields, item
from cloud.jobs import DynamoJobs, Kept
from cloud.labels import DynamoLabels
from cloud.library import S3Library
from cloud.lives import DynamoLives
from cloud.store import Store
from infra.cli.deployment import Deployment
from infra.cli.drop import ENDS
from infra.cli.offer import offered
from infra.learn.first import MODEL
from infra.local.cloud import Cloud
from vigil.drops import drop_id
from vigil.flow.label import label
from vigil.learn.stages import Standing

THREADS = 8
SETTLED_S = 600.0
JOB_S = 600.0
AT_ONCE = 100
"""Records that one call reads."""

LOOK_S = 0.3

T = TypeVar("T")


class NotSo(Exception):
    """Something that the story promises did not happen; the message says what."""


@dataclass
class Town:
    """drops  every drop of the story, so that each can be asked for its end"""

    cloud: Cloud
    reached: Deployment
    drops: list[str] = field(default_factory=list)

    @cached_property
    def lives(self) -> DynamoLives:
        return DynamoLives(self._table, self._name)

    @cached_property
    def library(self) -> S3Library:
        return S3Library(self._s3, self.reached.outputs["StoreBucket"])

    def put(self, pictures: Sequence[bytes], source: str) -> list[str]:
        """Drop pictures on the live lane; the ids of their drops, in order."""
        bucket, numbers = self.reached.outputs["PhotosBucket"], count(len(self.drops))
        keys = [f"live/{MODEL}/{source}/{next(numbers):06}.png" for _ in pictures]

        def one(key: str, picture: bytes) -> str:
            answer = self._s3.put_object(Bucket=bucket, Key=key, Body=picture)
            return drop_id(bucket, key, answer["VersionId"], MODEL)

        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(one, keys, pictures))
        self.drops += made
        return made

    def ended(self, drops: Sequence[str]) -> list[dict[str, Any]]:
        """Their records once all have ended; asked for in order, since that is how they end."""
        rows: dict[str, dict[str, Any]] = {}
        waiting, ends = list(drops), time.monotonic() + SETTLED_S
        while waiting:
            found = self._ended(waiting[:AT_ONCE])
            rows |= found
            waiting = [drop for drop in waiting if drop not in found]
            if time.monotonic() > ends:
                raise NotSo(f"{len(waiting)} of {len(drops)} drops have no end, such as {waiting[0]}")
            if not found:
                time.sleep(LOOK_S)
        return [rows[drop] for drop in drops]

    def said(self, drops: Sequence[str]) -> list[str]:
        """The label that was said of each."""
        with ThreadPoolExecutor(THREADS) as pool:
            seen = pool.map(self.reached.records.sightings, drops)
            return [rows[0]["label"] if rows else "" for rows in seen]

    def open_to_learning(self) -> None:
        """Whoever runs the deployment says that models may learn from what it is sent."""
        Store(self.reached.client("s3"), self.library.bucket).put_watch('[sources."*"]\nlearn = "always"\n')

    def label(self, meant: Mapping[str, str], by: str) -> None:
        """A person says what each drop shows."""
        labels, records = DynamoLabels(self._table, self._name), self.reached.records

        def one(drop: str, text: str) -> None:
            label(drop, text, by, datetime.now(UTC), drops=records, labels=labels)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, meant, meant.values()))

    def order(self, recipe: str) -> str:
        """A person orders a first lesson; the job's name."""
        asked = json.dumps({"model": MODEL, "recipe": recipe}).encode()
        reply = self.reached.patient.invoke(FunctionName=self.reached.outputs["TrainFunction"], Payload=asked)
        told: dict[str, Any] = json.loads(reply["Payload"].read())
        if "job" not in told:
            raise NotSo(f"no training: {told}")
        return str(told["job"])

    def offer(self, files: Mapping[str, bytes]) -> str:
        """A person brings a release that was made elsewhere; its id."""
        told = offered(self.reached, MODEL, files)
        if "release" not in told:
            raise NotSo(f"the release that was brought is refused: {told}")
        return str(told["release"])

    def jobs(self) -> list[str]:
        """Names of all training jobs so far."""
        return [kept.job.name for kept in self._jobs.all()]

    def learned(self, before: Sequence[str] = ()) -> Kept:
        """What a job that is none of `before` left on record, once it has."""
        kept = self.until(lambda: self._finished(before), "a training job has an end", JOB_S)
        if not kept.release:
            log = self.cloud.trainings.log(kept.job.name)[-2000:]
            raise NotSo(f"{kept.job.name} left no release: {kept.note or kept.job.text}\n{log}")
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
            time.sleep(LOOK_S)
        raise NotSo(f"not within {within_s:g} s: {what}")

    @cached_property
    def _s3(self) -> Any:
        return self.reached.client("s3")

    @cached_property
    def _table(self) -> Any:
        return self.reached.client("dynamodb")

    @property
    def _name(self) -> str:
        return self.reached.outputs["RecordsTable"]

    @cached_property
    def _jobs(self) -> DynamoJobs:
        return DynamoJobs(self._table, self._name)

    def _ended(self, drops: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The records of those that have ended."""
        keys = [item({"pk": f"drop#{drop}", "sk": "drop"}) for drop in drops]
        asked = {self._name: {"Keys": keys, "ConsistentRead": True}}
        found = self._table.batch_get_item(RequestItems=asked)["Responses"][self._name]
        rows = [fields(one) for one in found]
        return {row["drop_id"]: row for row in rows if row["state"] in ENDS}

    def _finished(self, before: Sequence[str]) -> Kept | None:
        done = (kept for kept in self._jobs.all() if kept.job.name not in before and not kept.open)
        return next(done, None)
