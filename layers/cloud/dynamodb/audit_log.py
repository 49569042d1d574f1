"""The audit log in DynamoDB: entries are put once, under the next number, and never changed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import query_all, write_if
from cloud.errors import translate_errors
from vigil.access.audit import CHAIN_COUNT, AuditEntry, ChainHead, chain_for
from vigil.access.roles import Caller
from vigil.errors import Transient

MAX_APPEND_ATTEMPTS = 20


class DynamoAuditLog:
    """Appends to the chains; the last entry of each chain is cached until another writer appends to it."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._heads: dict[str, ChainHead] = {}

    def append(
        self, caller: Caller, operation: str, resource_ids: Mapping[str, str], now: datetime
    ) -> AuditEntry:
        """Record one operation at the end of the caller's chain. Raises Transient."""
        chain = chain_for(caller.id)
        for _ in range(MAX_APPEND_ATTEMPTS):
            head = self._heads.get(chain) or self._read_head(chain)
            entry = AuditEntry(
                chain, head.number + 1, now, caller.id, caller.role, operation, resource_ids, head.entry_hash
            )
            if self._put_entry(entry):
                self._heads[chain] = ChainHead(entry.number, entry.entry_hash)
                return entry
            del self._heads[chain]
        raise Transient(
            "too many concurrent entries in the chain", dependency="audit", operation="append audit entry"
        )

    def read_heads(self) -> dict[str, ChainHead]:
        """The last entry of each chain."""
        return {chain: self._read_head(chain) for chain in (f"chain-{n}" for n in range(CHAIN_COUNT))}

    def read_chains(self) -> Iterator[Iterator[tuple[AuditEntry, str]]]:
        """Every chain from its start, as (entry, stored hash)."""
        for number in range(CHAIN_COUNT):
            yield self._read_entries(f"chain-{number}")

    def read_chain(self, chain: str) -> Iterator[tuple[AuditEntry, str]]:
        """One chain from its start, as (entry, stored hash)."""
        return self._read_entries(chain)

    def newest_entries(self, chain: str, *, before: int, page_size: int) -> Iterator[AuditEntry]:
        """A chain's entries with numbers below `before`, newest first."""
        query = self._chain_query(chain) | {"ScanIndexForward": False, "Limit": page_size}
        query["KeyConditionExpression"] += " AND #number < :before"
        query["ExpressionAttributeNames"] = {"#number": "number"}
        query["ExpressionAttributeValues"] |= to_item({":before": before})
        rows = query_all(self._client, dependency="audit", operation="read audit entries", **query)
        return (_entry_from_row(from_item(row))[0] for row in rows)

    def _put_entry(self, entry: AuditEntry) -> bool:
        row = {
            "pk": entry.chain,
            "number": entry.number,
            "at": entry.at.isoformat(),
            "caller": entry.caller,
            "role": entry.role,
            "operation": entry.operation,
            "resource_ids": dict(entry.resource_ids),
            "previous_hash": entry.previous_hash,
            "entry_hash": entry.entry_hash,
        }
        answer = write_if(
            self._client.put_item,
            dependency="audit",
            operation="append audit entry",
            TableName=self._table,
            Item=to_item(row),
            ConditionExpression="attribute_not_exists(pk)",
        )
        return answer is not None

    def _read_head(self, chain: str) -> ChainHead:
        with translate_errors("audit", "read audit head"):
            response = self._client.query(**self._chain_query(chain), ScanIndexForward=False, Limit=1)
        rows = [from_item(row) for row in response["Items"]]
        head = ChainHead(int(rows[0]["number"]), rows[0]["entry_hash"]) if rows else ChainHead()
        self._heads[chain] = head
        return head

    def _read_entries(self, chain: str) -> Iterator[tuple[AuditEntry, str]]:
        rows = query_all(
            self._client, dependency="audit", operation="read audit log", **self._chain_query(chain)
        )
        return (_entry_from_row(from_item(row)) for row in rows)

    def _chain_query(self, chain: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :chain",
            "ExpressionAttributeValues": to_item({":chain": chain}),
            "ConsistentRead": True,
        }


def _entry_from_row(row: Mapping[str, Any]) -> tuple[AuditEntry, str]:
    entry = AuditEntry(
        chain=row["pk"],
        number=int(row["number"]),
        at=datetime.fromisoformat(row["at"]),
        caller=row["caller"],
        role=row["role"],
        operation=row["operation"],
        resource_ids=row["resource_ids"],
        previous_hash=row["previous_hash"],
    )
    return entry, row["entry_hash"]
