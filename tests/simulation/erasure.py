"""Erases a person with many sightings among many rows, in runs that end early or are killed on the way.

python -m tests.simulation.erasure --sightings 5000 --rows 200000
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.erasure import DynamoPersonData
from cloud.dynamodb.schema import ALERT, SIGHTING, STORED_FACES, drop_key, listing_attributes
from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces
from tests.fakes.memory import NOON
from tests.unit.people.builders import SPACE, unit_vector
from tests.unit.people.test_erasure import ADA, PHOTO, FakeErasure
from vigil.people.erasure import ErasureService
from vigil.people.person import ErasureReceipt

FACES = 40
"""Stored faces of strangers, half of them the person's from before the enrolment."""

ALERT_SHARE = 10
"""Every tenth sighting of the person raised an alert."""


class Killed(BaseException):
    """The worker dies."""


@dataclass
class DyingClient:
    """A client whose worker dies at some of its transactions, half of the times after the effect."""

    client: Any
    deaths: set[int]
    transactions: Iterator[int] = field(default_factory=count)

    def __getattr__(self, name: str) -> Any:
        return self._transact if name == "transact_write_items" else getattr(self.client, name)

    def _transact(self, **request: Any) -> Any:
        number = next(self.transactions)
        if number in self.deaths and number % 2:
            raise Killed
        answer = self.client.transact_write_items(**request)
        if number in self.deaths:
            raise Killed
        return answer


def store_rows(client: Any, *, sightings: int, rows: int) -> None:
    """Sightings and alerts of the person spread among sightings of others, and stored faces."""
    stride = max(rows // sightings, 1)
    records, faces = (_moto_table(client, name) for name in ("t", "faces"))
    for row in _rows_of_drops(rows, stride, sightings):
        records.put_item(row)
    for number in range(FACES):
        faces.put_item(_faces_row(number))


def _moto_table(client: Any, name: str) -> Table:
    """moto's own table: over its API each row takes 3 ms, and each page of a scan copies the whole table."""
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][client.meta.region_name].get_table(name)


def _rows_of_drops(rows: int, stride: int, sightings: int) -> Iterator[Item]:
    for number in range(rows):
        drop, at = f"{number:08x}", NOON + timedelta(seconds=number)
        is_person = number % stride == 0 and number // stride < sightings
        about = {"drop_id": drop, "label": ADA.id if is_person else "unknown", "source": "door"}
        about |= {"subject": ADA.id} if is_person else {}
        about |= listing_attributes("sightings", drop, at)
        yield SIGHTING.key(drop=drop, number=0) | to_item(about)
        if is_person:
            location = {"bucket": PHOTO.bucket, "key": PHOTO.key, "version": PHOTO.version}
            yield drop_key(drop) | to_item({"drop_id": drop, "s3_object": location, "object": "s3://a/b"})
        if is_person and number // stride % ALERT_SHARE == 0:
            alert = {"alert_id": drop, "subject": ADA.id, "subject_id": ADA.id, "drop_id": drop}
            yield ALERT.key(alert=drop) | to_item(alert | listing_attributes("alerts", drop, at))


def _faces_row(number: int) -> Item:
    vector = (unit_vector(ADA.id) * (1 if number % 2 else -1)).astype(np.float16)
    key = STORED_FACES.key(day=NOON.date(), shard=number % 16, at=NOON.isoformat(), drop=f"s{number}")
    return key | to_item(
        {
            "drop_id": f"s{number}",
            "source": "door",
            "occurred_at": NOON,
            "embedding_space": SPACE,
            "same_subject_threshold": 0.9,
            "sighting_numbers": [0],
            "vectors": vector.tobytes(),
        }
    )


@dataclass
class Erasure:
    """An erasure that is called until it is complete, as by the schedule.

    steps_per_run  after so many questions for time a run ends
    """

    client: Any
    deaths: set[int]
    steps_per_run: int
    runs: int = 0
    killed: int = 0
    now: datetime = NOON

    def run_until_complete(self) -> ErasureReceipt:
        fake, dying = FakeErasure(), DyingClient(self.client, self.deaths)
        while True:
            self.runs += 1
            steps = iter([True] * self.steps_per_run)
            try:
                found = self._service(fake, dying).erase_person(ADA.id, lambda: next(steps, False))  # noqa: B023
            except Killed:
                self.killed += 1
                continue
            if isinstance(found, ErasureReceipt):
                return found

    def _service(self, fake: FakeErasure, client: Any) -> ErasureService:
        return ErasureService(
            records=fake,
            personal_data=DynamoPersonData(client, "t", "faces"),
            galleries=fake,
            templates=fake,
            unknown_faces=DynamoUnknownFaces(client, "faces"),
            datasets=fake,
            objects=fake,
            wait_for_index=lambda: None,
            clock=lambda: self.now,
        )


def rows_that_name(client: Any, text: str) -> list[str]:
    """The keys of all rows in both tables that contain a text."""
    rows = [row for name in ("t", "faces") for row in _moto_table(client, name).all_items()]
    return [str(row.attrs["pk"].value) for row in rows if text in repr(row)]


def main() -> None:
    from moto import mock_aws

    from tests.contract.conftest import create_tables, patch_moto
    from tests.fakes.aws import mocked_client

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sightings", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    patch_moto()
    with mock_aws():
        client = mocked_client("dynamodb")
        create_tables(client)
        started_s = time.monotonic()
        store_rows(client, sightings=options.sightings, rows=options.rows)
        stored_s = time.monotonic()
        erasure = Erasure(client, {options.sightings // 3, options.sightings * 2 // 3 + 1}, steps_per_run=40)
        receipt = erasure.run_until_complete()
        lines = (
            f"{options.rows} rows stored in {stored_s - started_s:.0f} s",
            f"erased in {time.monotonic() - stored_s:.0f} s, {erasure.runs} runs, {erasure.killed} killed",
            f"receipt: {receipt.counts}",
            f"rows that name the person: {len(rows_that_name(client, ADA.id))}",
        )
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
