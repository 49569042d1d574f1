"""Where canaries start and are heard of: a photograph stored, and what the records table says of it."""

from datetime import datetime
from typing import Any

from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.state import DynamoStateStore
from cloud.errors import translate_errors
from vigil.drops.messages import S3Object
from vigil.reliability.canary import CanaryOutcome, CanaryRun


class CanaryProbe:
    """The last flight is remembered, so that the next one can judge it: nobody waits."""

    def __init__(self, s3: Any, bucket: str, *, records: DynamoDropReader, states: DynamoStateStore) -> None:
        self._s3, self._bucket, self._records, self._states = s3, bucket, records, states

    def store_photo(self, key: str, photo: bytes) -> S3Object:
        """Store a photograph, as a camera would."""
        with translate_errors("photos", "store canary photo"):
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=photo)
        return S3Object(self._bucket, key, answer.get("VersionId", ""))

    def last_run(self) -> CanaryRun | None:
        """The flight under way, None before the first."""
        row = self._states.get("canary")
        return CanaryRun(row["drop"], datetime.fromisoformat(row["at"])) if row else None

    def save_run(self, run: CanaryRun) -> None:
        self._states.put("canary", {"drop": run.drop_id, "at": run.stored_at.isoformat()})

    def read_result(self, run: CanaryRun) -> CanaryOutcome | None:
        """What became of it, None where the ledger does not know it."""
        row = self._records.find_drop(run.drop_id)
        if row is None:
            return None
        sightings = self._records.sightings(run.drop_id)
        boxes = [tuple(sighting["box_px"]) for sighting in sightings if "box_px" in sighting]
        at = datetime.fromisoformat(row.get("completed_at", row["first_claimed_at"]))
        return CanaryOutcome(row["state"], at, boxes, row.get("alerts", 0))
