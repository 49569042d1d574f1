"""The audit log in DynamoDB: entries are put once, under the next number, and never changed."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from vigil.access.audit import CHAIN_COUNT, AuditEntry, ChainHead, chain_for
from vigil.access.roles import Caller
from vigil.errors import Transient

MAX_APPEND_ATTEMPTS = 20


class DynamoAuditLog:
    """Appends to the chains; the last entry of each chain is cached until another writer appends to it."""

    chains = tuple(f"chain-{number}" for number in range(CHAIN_COUNT))

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table, "audit")
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
        return {chain: self._read_head(chain) for chain in self.chains}

    def read_chains(self) -> Iterator[Iterator[tuple[AuditEntry, str]]]:
        """Every chain from its start, as (entry, stored hash)."""
        return map(self.read_chain, self.chains)

    def read_chain(self, chain: str) -> Iterator[tuple[AuditEntry, str]]:
        """One chain from its start, as (entry, stored hash)."""
        return map(_entry_from_row, self._rows.partition(chain, "read audit log"))

    def entries_from(self, chain: str, number: int) -> Iterator[tuple[AuditEntry, str]]:
        """One chain from the entry of this number on, as (entry, stored hash)."""
        rows = self._rows.query(
            "read audit entries",
            KeyConditionExpression="pk = :chain AND #number >= :first",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues=to_item({":chain": chain, ":first": number}),
            ConsistentRead=True,
        )
        return map(_entry_from_row, rows)

    def read_hashes(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """The stored hashes of the entries of these chains and numbers that exist."""
        keys = [to_item({"pk": chain, "number": number}) for chain, number in places]
        rows = self._rows.batch_get(keys, "read audit hashes")
        return {(row["pk"], int(row["number"])): row["entry_hash"] for row in rows}

    def newest_entries(self, chain: str, *, before: int, page_size: int) -> Iterator[AuditEntry]:
        """A chain's entries with numbers below `before`, newest first."""
        rows = self._rows.query(
            "read audit entries",
            KeyConditionExpression="pk = :chain AND #number < :before",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues=to_item({":chain": chain, ":before": before}),
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=page_size,
        )
        return (_entry_from_row(row)[0] for row in rows)

    def _put_entry(self, entry: AuditEntry) -> bool:
        row = {
            "pk": entry.chain,
            "number": entry.number,
            "at": entry.at,
            "caller": entry.caller,
            "role": entry.role,
            "operation": entry.operation,
            "resource_ids": dict(entry.resource_ids),
            "previous_hash": entry.previous_hash,
            "entry_hash": entry.entry_hash,
        }
        return self._rows.put_new(to_item(row), "append audit entry")

    def _read_head(self, chain: str) -> ChainHead:
        newest = self._rows.partition(chain, "read audit head", ScanIndexForward=False, Limit=1)
        row = next(newest, None)
        head = ChainHead(int(row["number"]), row["entry_hash"]) if row is not None else ChainHead()
        self._heads[chain] = head
        return head


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
