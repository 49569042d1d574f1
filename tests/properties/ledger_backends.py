"""A ledger with its outbox, in memory and on DynamoDB as moto plays it: what the machines run on."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, Protocol
from unittest import mock

from moto import mock_aws

from cloud.dynamodb.ledger import DynamoLedger
from cloud.dynamodb.stream import events_from_stream
from tests.fakes.aws import mocked_client
from tests.fakes.memory import MemoryLedger
from vigil.drops.events import to_cloud_event
from vigil.drops.ledger import Ledger

_NUMBERS = count()
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class LedgerBackend(Protocol):
    """`news` are the ids of events that were committed since it was last asked, in order."""

    @property
    def ledger(self) -> Ledger: ...
    def new_event_ids(self) -> list[str]: ...


class MemoryBackend:
    """The stream is what changed since the last look: ends never change again, and alerts are only added."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self._seen: set[str] = set()

    def new_event_ids(self) -> list[str]:
        ends = [f"{drop}.{r.state}" for drop, r in self.ledger.records.items() if r.state != "claimed"]
        fresh = [one for one in [*ends, *self.ledger.alerts] if one not in self._seen]
        self._seen |= set(fresh)
        return fresh


class DynamoBackend:
    """The real adapter; its stream is what changed in the table, read as the publishing function reads it."""

    def __init__(self) -> None:
        self._client = mocked_client("dynamodb")
        self._name = f"records-{next(_NUMBERS)}"
        self._client.create_table(TableName=self._name, **_TABLE)
        self.ledger = DynamoLedger(
            self._client, self._name, faces=self._name, lane="live", retention=timedelta(days=90)
        )
        self._seen: dict[str, Any] = {}

    def new_event_ids(self) -> list[str]:
        rows = {str((row["pk"], row["sk"])): row for row in self._client.scan(TableName=self._name)["Items"]}
        changed = [
            _stream_record(row, self._seen.get(key))
            for key, row in rows.items()
            if row != self._seen.get(key)
        ]
        self._seen = rows
        told = [to_cloud_event(fact, origin="/test") for _, fact in events_from_stream({"Records": changed})]
        return [str(one.event["id"]) for one in told]


@contextmanager
def mocked_aws() -> Iterator[None]:
    """moto, entered anew by each example."""
    with mock.patch.dict(os.environ, _CREDENTIALS), mock_aws():
        yield


_TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}


def _stream_record(row: Any, before: Any) -> dict[str, Any]:
    """A stream's record of one change."""
    images = {"NewImage": row} | ({"OldImage": before} if before else {})
    return {"dynamodb": {"SequenceNumber": "1", **images}}
