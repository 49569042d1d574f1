"""A million drops through the ledger and its lists, on partitions that throttle as those of DynamoDB do.

    python -m tests.simulation.partitions --drops 1000000

The adapters write each shape of drop once to a client that measures every write: units by table or index and
by key. Then the writes of all drops are played, a second at a time: a partition takes 1,000 write units a
second, a throttled write waits for the next second, and an index that is throttled throttles its table.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
Every key counts as a partition of its own; units of a transaction are doubled, in indexes too, which is more
than DynamoDB takes (infra.local.moto_.capacity_units).
"""

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any

import numpy as np

from cloud.dynamodb.attributes import Item
from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.schema import FACE_SHARDS, LIST_SHARDS, list_key, list_keys, shard_of
from infra.local.moto_.capacity_units import item_size
from tests.fakes.memory import NOON
from vigil.alerts.alert import create_alert
from vigil.alerts.rules import default_rules
from vigil.alerts.unknown_subjects import UnknownSubjects, assign_subject
from vigil.drops.ledger import Lease, ProcessingResult
from vigil.drops.messages import Drop, S3Object, compute_drop_id
from vigil.inference.types import Prediction, Sighting

PARTITION_UNITS = 1_000
"""Write units that a partition takes in a second."""

PHOTOS_PER_S, SOURCES = 1_000, 250
FACES_SHARES = (0.3, 0.4, 0.2, 0.1)
"""Shares of photos with 0, 1, 2 and 3 faces; every second face is unknown and stored, every tenth drop with a
face raises an alert, and every twentieth shows a new unknown subject."""

SPREAD = {"listing": "list_key", "completed": "completed_key"}
"""Indexes that hold whole rows, by the attribute of their key."""


@dataclass
class MeteredClient:
    """A client that stores nothing but the size of a row, and counts write units by key.

    units  (table or index, key) -> units
    """

    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def update_item(self, **request: Any) -> dict[str, Any]:
        self._write(request, 1)
        return {"Attributes": {"attempts": {"N": "1"}}}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - of AWS
        for item in TransactItems:
            for kind, request in item.items():
                if kind == "ConditionCheck":
                    self.units[request["TableName"], _text(request["Key"]["pk"])] += 2
                else:
                    self._write(request, 2)

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": []}

    def _write(self, request: Mapping[str, Any], factor: int) -> None:
        key = request.get("Key") or {name: request["Item"][name] for name in ("pk", "sk")}
        row = self.rows.setdefault((_text(key["pk"]), _text(key["sk"])), dict(key))
        row |= request.get("Item") or _assigned(request)
        units = factor * ceil(item_size(row) / 1024)
        self.units[request["TableName"], _text(key["pk"])] += units
        for index, attribute in SPREAD.items():
            if attribute in row:
                self.units[index, _text(row[attribute])] += units


def _assigned(request: Mapping[str, Any]) -> Item:
    """The attributes that an update sets, under the names of their placeholders."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    found = {name: values.get(f":{short.removeprefix('#')}") for short, name in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def _text(attribute: Mapping[str, Any]) -> str:
    return str(attribute["S"])


@dataclass(frozen=True, slots=True)
class Shape:
    """What a drop has, which decides what is written about it."""

    faces: int
    has_alert: bool
    has_new_subject: bool

    def write(self, client: Any, drop_id: str, source: str) -> None:
        """Claim and complete a drop of this shape."""
        ledger = DynamoLedger(client, "records", "faces", lane="live", retention=timedelta(days=90))
        item = S3Object("vigil-photos", f"live/faces/{source}/2026/03/02/12/{drop_id}.jpg", drop_id)
        drop = Drop(drop_id, "faces", source, item, NOON)
        claim = ledger.claim(drop, owner=drop_id, now=NOON, until=NOON)
        assert isinstance(claim, Lease)
        rng = np.random.default_rng(1)
        sightings = tuple(_sighting(number, drop_id, rng) for number in range(self.faces))
        alerts = (
            [create_alert(default_rules().rules[0], drop, 0, subject="u", status="unknown")]
            if self.has_alert
            else []
        )
        window = UnknownSubjects(source, "w#space", 0, (), np.empty((0, 0), np.float32))
        if self.has_new_subject:
            _, window = assign_subject(window, _vector(rng), same_subject_threshold=0.5, new_id="unknown-1")
        times = {"claim": 12.3, "read": 45.6, "decode": 7.8, "detect": 90.1, "embed": 23.4, "save": 5.6}
        prediction = Prediction(sightings, self.faces, (1920, 1080), {"detector": "640"})
        result = ProcessingResult(
            prediction, "r" * 12, tuple(alerts), window, times, store_unknown_faces=True
        )
        ledger.save_result(claim, drop, result, now=NOON)


def _vector(rng: np.random.Generator) -> Any:
    vector = rng.normal(size=512).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _sighting(number: int, drop_id: str, rng: np.random.Generator) -> Sighting:
    box = (10.25, 20.5, 110.75, 140.125)
    if number % 2:
        return Sighting(f"p-{drop_id[:12]}", "known", 0.81, 0.42, box, 0.93, tags=frozenset({"staff"}))
    face = {"vector": _vector(rng), "embedding_space": "space", "same_subject_threshold": 0.5}
    return Sighting("unknown", "unknown", 0.31, 0.42, box, 0.93, **face)


def shape_of(number: int) -> Shape:
    share = number % 100 / 100
    faces = int(np.searchsorted(np.cumsum(FACES_SHARES), share, side="right"))
    digest = number // 100
    return Shape(faces, bool(faces) and digest % 10 == 0, bool(faces) and digest % 20 == 1)


@dataclass
class PartitionLoad:
    """The load of the fullest key of each group, as the share of what a partition takes in a second."""

    peaks: dict[str, float] = field(default_factory=dict)
    throttled: int = 0
    drops: int = 0


def play(drops: int, *, shards: int = LIST_SHARDS) -> PartitionLoad:
    """Play so many drops at PHOTOS_PER_S; with one shard, as it was when a list had one key."""
    load, waiting = PartitionLoad(drops=drops), Counter[tuple[str, str]]()
    patterns = _units_by_shape()
    for first in range(0, drops, PHOTOS_PER_S):
        second = Counter(waiting)
        for number in range(first, min(first + PHOTOS_PER_S, drops)):
            drop_id = hashlib.sha256(str(number).encode()).hexdigest()[:32]
            for group, units in patterns[shape_of(number)]:
                second[_key(group, drop_id, number, shards)] += units
        waiting = Counter()
        for (group, key), units in second.items():
            load.peaks[group] = max(load.peaks.get(group, 0.0), units / PARTITION_UNITS)
            if units > PARTITION_UNITS:
                load.throttled += units - PARTITION_UNITS
                waiting[group, key] = units - PARTITION_UNITS
    return load


def _key(group: str, drop_id: str, number: int, shards: int) -> tuple[str, str]:
    """The key that a write of a group goes to."""
    kind = group.partition(" ")[2]
    if group.startswith("listing"):
        return group, list_key(kind, drop_id) if shards == LIST_SHARDS else kind
    if group == "faces stored":
        return group, str(shard_of(drop_id, FACE_SHARDS))
    if group == "faces window":
        return group, str(number % SOURCES)
    return group, drop_id


def _units_by_shape() -> dict[Shape, list[tuple[str, int]]]:
    """What the adapters write for a drop of each shape: group of keys and units."""
    found = {}
    for shape in {shape_of(number) for number in range(4_000)}:
        client = MeteredClient()
        shape.write(client, compute_drop_id("drop", str(shape)), "door-17")
        groups: defaultdict[str, int] = defaultdict(int)
        for (place, key), units in client.units.items():
            groups[_group(place, key)] += units
        found[shape] = list(groups.items())
    return found


def _group(place: str, key: str) -> str:
    """Keys of one kind: a list, the stored faces, a window, or a row of its own."""
    if place == "completed":
        return "listing completed"
    if place == "listing":
        return next(f"listing {kind}" for kind in ("drops", "sightings", "alerts") if key in list_keys(kind))
    if place == "faces":
        return "faces stored" if key.startswith("faces#") else "faces window"
    return "records"


def report(load: PartitionLoad) -> Iterator[str]:
    for group, share in sorted(load.peaks.items(), key=lambda one: -one[1]):
        yield f"{group:20} {share:6.1%} of a partition on its fullest key"
    yield f"{load.drops} drops at {PHOTOS_PER_S} a second: {load.throttled} write units throttled"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drops", type=int, default=1_000_000)
    options = parser.parse_args()
    sys.stdout.write("\n".join(report(play(options.drops))) + "\n")


if __name__ == "__main__":
    main()
