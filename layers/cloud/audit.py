"""The audit log in DynamoDB: entries are put once, under the next number, and never touched again."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.access.audit import CHAINS, Entry, Head, chain_of
from vigil.access.roles import Caller
from vigil.errors import Transient

TRIES = 20


class DynamoAudit:
    """Appends; the end of each chain is remembered, and read again where somebody else came first."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._heads: dict[str, Head] = {}

    def append(self, caller: Caller, act: str, about: Mapping[str, str], now: datetime) -> Entry:
        """Write one act down, whatever else is written meanwhile."""
        chain = chain_of(caller.id)
        for _ in range(TRIES):
            head = self._heads.get(chain) or self._end(chain)
            entry = Entry(chain, head.number + 1, now, caller.id, caller.role, act, about, head.mark)
            if self._put(entry):
                self._heads[chain] = Head(entry.number, entry.mark)
                return entry
            del self._heads[chain]
        raise Transient("audit: the chain is too busy")

    def heads(self) -> dict[str, Head]:
        """Where each chain ends now."""
        return {chain: self._end(chain) for chain in (f"chain-{n}" for n in range(CHAINS))}

    def chains(self) -> Iterator[Iterator[tuple[Entry, str]]]:
        """Every chain from its start, as (entry, stored mark)."""
        for number in range(CHAINS):
            yield self._entries(f"chain-{number}")

    def _put(self, entry: Entry) -> bool:
        row = {
            "pk": entry.chain,
            "number": entry.number,
            "at": entry.at.isoformat(),
            "caller": entry.caller,
            "role": entry.role,
            "act": entry.act,
            "about": dict(entry.about),
            "before": entry.before,
            "mark": entry.mark,
        }
        with faults("audit"):
            try:
                self._client.put_item(
                    TableName=self._table, Item=item(row), ConditionExpression="attribute_not_exists(pk)"
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _end(self, chain: str) -> Head:
        with faults("audit"):
            answer = self._client.query(**self._of(chain), ScanIndexForward=False, Limit=1)
        rows = [fields(row) for row in answer["Items"]]
        head = Head(int(rows[0]["number"]), rows[0]["mark"]) if rows else Head()
        self._heads[chain] = head
        return head

    def _entries(self, chain: str) -> Iterator[tuple[Entry, str]]:
        rows = every(self._client, doing="read audit", **self._of(chain))
        return (_entry(fields(row)) for row in rows)

    def _of(self, chain: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :chain",
            "ExpressionAttributeValues": item({":chain": chain}),
            "ConsistentRead": True,
        }


def _entry(row: Mapping[str, Any]) -> tuple[Entry, str]:
    entry = Entry(
        chain=row["pk"],
        number=int(row["number"]),
        at=datetime.fromisoformat(row["at"]),
        caller=row["caller"],
        role=row["role"],
        act=row["act"],
        about=row["about"],
        before=row["before"],
    )
    return entry, row["mark"]
