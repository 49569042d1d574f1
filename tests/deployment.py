"""Work on a running system through its buckets, tables and functions, without its API."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.people import DynamoPeople
from cloud.dynamodb.queries import Listing, Table
from cloud.dynamodb.schema import DROP, drop_key
from vigil.drops.messages import compute_drop_id
from vigil_cli import deployment as cli

TERMINAL_STATES = ("done", "rejected", "quarantined")


class DropRows:
    """The rows of drops, sightings, notes and alerts as plain dictionaries."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows, self._listing = Table(client, table), Listing(client, table)
        self.drops_of_object = DynamoDropReader(client, table).drops_of_object

    def find_drop(self, drop_id: str) -> dict[str, Any] | None:
        return self._rows.get(drop_key(drop_id), "read record")

    def sightings(self, drop: str) -> list[dict[str, Any]]:
        return self._rows_of_drop(drop, "sighting#")

    def notes(self, drop: str) -> list[dict[str, Any]]:
        return self._rows_of_drop(drop, "note#")

    def newest(self, kind: str, *, since: datetime, limit: int) -> list[dict[str, Any]]:
        """The newest rows of "drops", "sightings" or "alerts"."""
        return list(islice(self._listing.newest(kind, since=since), limit))

    def _rows_of_drop(self, drop: str, prefix: str) -> list[dict[str, Any]]:
        return list(self._rows.partition(DROP.partition(drop=drop), "read drop", sk_prefix=prefix))


class Deployment(cli.Deployment):
    """A deployment whose tables can be read."""

    @cached_property
    def records(self) -> DropRows:
        return DropRows(self.client("dynamodb"), self.outputs["RecordsTable"])

    def display_name(self, subject_id: str) -> str:
        """The name of an enrolled person; other subjects as they are."""
        people = DynamoPeople(
            self.client("dynamodb"), self.outputs["PeopleTable"], store_gallery=_refuse_write
        )
        person = people.find_person(subject_id) if subject_id.startswith("p-") else None
        return person.name if person else subject_id


def _refuse_write(_gallery: object) -> Mapping[str, str]:
    raise TypeError("tests write no gallery")


def local_deployment(environment: Mapping[str, str], outputs: Mapping[str, str]) -> Deployment:
    """The local cloud that runs with these outputs."""
    local = cli.local_deployment(environment, outputs)
    return Deployment(local.outputs, local.client_options, local.lambda_endpoint)


def upload_file(cloud: Deployment, file: Path, key: str, model: str) -> str:
    """Put a file under a key of the photos bucket; returns the id of its drop."""
    bucket = cloud.outputs["PhotosBucket"]
    with file.open("rb") as body:
        response = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return compute_drop_id(bucket, key, response["VersionId"], model)


def wait_until_completed(records: DropRows, ids: Sequence[str], wait_s: float) -> list[dict[str, Any]]:
    """The records of drops once all have ended, or as they are when the time is up."""
    deadline = time.monotonic() + wait_s
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < len(ids) and time.monotonic() < deadline:
        for ident in (ident for ident in ids if ident not in rows):
            row = records.find_drop(ident)
            if row and row["state"] in TERMINAL_STATES:
                rows[ident] = row
        time.sleep(0.05 if len(rows) < len(ids) else 0)
    return [
        rows.get(ident) or records.find_drop(ident) or {"drop_id": ident, "state": "announced"}
        for ident in ids
    ]


def enrol_photos(
    cloud: Deployment, person: str, photos: Sequence[Path], tags: Sequence[str]
) -> dict[str, Any]:
    """Invoke the enrol function on photos of a person; its result names each rejected photo by its file."""
    names = {f"enrol/{uuid.uuid4().hex}{photo.suffix.lower()}": photo for photo in photos}
    store, s3 = cloud.outputs["StoreBucket"], cloud.client("s3")
    versions = {
        key: s3.put_object(Bucket=store, Key=key, Body=photo.read_bytes()) for key, photo in names.items()
    }
    request = {
        "name": person,
        "tags": list(tags),
        "photos": [
            {"key": key, "version": response.get("VersionId", "")} for key, response in versions.items()
        ],
    }
    reply = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["EnrolFunction"], Payload=json.dumps(request).encode()
    )
    result: dict[str, Any] = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, result
    for rejected in result.get("rejected", ()):
        rejected["photo"] = str(names[rejected["key"]])
    return result
