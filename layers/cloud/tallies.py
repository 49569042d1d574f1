"""What lanes count, in the records table: ten seconds a row, that all containers of a lane add to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from vigil.steady.counted import Counted

STRETCH_S = 10
_KEPT = timedelta(hours=1)
_FAILED = "failed_"


class DynamoTallies:
    """Rows: tally#<lane> <start, ISO 8601>."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, lane: str, counted: Counted) -> None:
        """Add to the stretch that `counted.at` falls into; of ages, the latest stays."""
        numbers = {"calls": counted.calls, "seconds": round(counted.seconds, 3)}
        numbers |= {f"{_FAILED}{name}": count for name, count in counted.failures.items()}
        with faults("count"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"tally#{lane}", "sk": _start(counted.at).isoformat()}),
                UpdateExpression="SET age_s = :age_s, expires = :expires ADD "
                + ", ".join(f"#{name} :{name}" for name in numbers),
                ExpressionAttributeNames={f"#{name}": name for name in numbers},
                ExpressionAttributeValues=item({f":{name}": number for name, number in numbers.items()})
                | item({":age_s": counted.age_s, ":expires": int((counted.at + _KEPT).timestamp())}),
            )

    def since(self, lane: str, begin: datetime) -> Sequence[Counted]:
        """All stretches that began at or after a time, oldest first."""
        with faults("read tallies"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :lane AND sk >= :begin",
                ExpressionAttributeValues=item({":lane": f"tally#{lane}", ":begin": begin.isoformat()}),
                ConsistentRead=True,
            )
        return [_counted(fields(row)) for row in answer["Items"]]


def _counted(row: Mapping[str, Any]) -> Counted:
    failures = {name.removeprefix(_FAILED): n for name, n in row.items() if name.startswith(_FAILED)}
    at = datetime.fromisoformat(row["sk"])
    return Counted(at, row["calls"], float(row["seconds"]), failures, float(row["age_s"]))


def _start(at: datetime) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // STRETCH_S * STRETCH_S, UTC)
