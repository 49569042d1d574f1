"""Where canaries start and are heard of: a photograph stored, and what the records table says of it."""

from datetime import datetime
from typing import Any

from cloud.faults import faults
from cloud.records import DynamoRecords
from cloud.state import States
from vigil.drops import Object
from vigil.steady.canary import Answer, Flight


class Nest:
    """The last flight is remembered, so that the next one can judge it: nobody waits."""

    def __init__(self, s3: Any, bucket: str, *, records: DynamoRecords, states: States) -> None:
        self._s3, self._bucket, self._records, self._states = s3, bucket, records, states

    def start(self, key: str, photo: bytes) -> Object:
        """Store a photograph, as a camera would."""
        with faults("store canary"):
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=photo)
        return Object(self._bucket, key, answer.get("VersionId", ""))

    def last(self) -> Flight | None:
        """The flight under way, None before the first."""
        row = self._states.get("canary")
        return Flight(row["drop"], datetime.fromisoformat(row["at"])) if row else None

    def remember(self, flight: Flight) -> None:
        self._states.put("canary", {"drop": flight.drop, "at": flight.at.isoformat()})

    def heard(self, flight: Flight) -> Answer | None:
        """What became of it, None where the ledger does not know it."""
        row = self._records.drop(flight.drop)
        if row is None:
            return None
        seen = self._records.sightings(flight.drop)
        boxes = [tuple(sighting["box_px"]) for sighting in seen if "box_px" in sighting]
        at = datetime.fromisoformat(row.get("settled_at", row["first_claimed_at"]))
        return Answer(row["state"], at, boxes, row.get("alerts", 0))
