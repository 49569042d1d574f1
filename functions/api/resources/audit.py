"""The audit log: its entries, and the verification of its chains."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import merge

from functions.api.operation import Call, operation
from functions.api.pagination import MAX_ROWS_READ, next_cursor, sign_cursor, start_position, verify_cursor
from functions.api.schemas.audit import (
    AuditEntryList,
    AuditEntryOut,
    AuditQuery,
    AuditVerification,
    AuditVerificationQuery,
    ChainBreakOut,
)
from functions.runtime.container import container
from vigil.access.audit import (
    CHAIN_COUNT,
    AuditCheckpoint,
    AuditEntry,
    ChainBreak,
    chain_for,
    find_difference,
    find_first_break,
)
from vigil.access.signing import InvalidSignature

PAGE_SIZE = 50
CHECKPOINTS_PER_PAGE = 300
"""Checkpoints with which one request compares the chains; there are at most 288 a day."""
CHAINS = tuple(f"chain-{number}" for number in range(CHAIN_COUNT))


@operation("GET", "/v1/audit", role="admin", bound_tokens="refused", audited=True, example={"limit": 10})
def list_audit_entries(call: Call, query: AuditQuery) -> AuditEntryList:
    """List the entries of the audit log, newest first."""
    log, position = container().audit_log, start_position(call, query, "audit")
    if position:
        bounds = dict(zip(CHAINS, map(int, position.split(",")), strict=True))
    else:
        bounds = {chain: head.number + 1 for chain, head in log.read_heads().items()}
    names = CHAINS if query.caller is None else (chain_for(query.caller),)
    chains = [log.newest_entries(name, before=bounds[name], page_size=PAGE_SIZE) for name in names]
    page: list[AuditEntryOut] = []
    for count, entry in enumerate(merge(*chains, key=lambda one: (one.at, one.chain), reverse=True)):
        if len(page) == query.limit or count == MAX_ROWS_READ:
            positions = ",".join(str(bounds[chain]) for chain in CHAINS)
            return AuditEntryList(items=tuple(page), next=next_cursor(call, query, "audit", positions))
        bounds[entry.chain] = entry.number
        if query.caller in (None, entry.caller):
            page.append(_to_entry(entry))
    return AuditEntryList(items=tuple(page))


@operation(
    "GET", "/v1/audit/verification", role="admin", bound_tokens="refused", audited=True, example={"chain": 0}
)
def verify_audit_log(call: Call, query: AuditVerificationQuery) -> AuditVerification:
    """Verify the audit log.

    Every entry must contain the hash of the one before, and every signed checkpoint must match. Verify a long
    log chain by chain. The first page verifies the chains and the newest checkpoints; repeat the request with
    `next` as `cursor` for older ones.
    """
    names = CHAINS if query.chain is None else (CHAINS[query.chain],)
    filters = {"chain": query.chain}
    after = "" if query.cursor is None else verify_cursor(call, "checkpoints", filters, query.cursor)
    verified = [] if query.cursor else list(container().executor.map(_verify_chain, names))
    page = _read_checkpoints(after)
    breaks = [one for one, _ in verified if one] + _differences(page.checkpoints, names)
    first_breaks = {one.chain: one for one in sorted(breaks, key=lambda one: one.number, reverse=True)}
    return AuditVerification(
        valid=not breaks and not page.problem,
        chains=sum(count > 0 for _, count in verified),
        entries=sum(count for _, count in verified),
        checkpoints=len(page.checkpoints),
        breaks=tuple(map(ChainBreakOut.model_validate, first_breaks.values())),
        checkpoint_at=page.checkpoints[0].at if page.checkpoints and not query.cursor else None,
        checkpoint_error=page.problem,
        next=sign_cursor(call, "checkpoints", filters, page.last_key) if page.last_key else None,
    )


@dataclass(frozen=True, slots=True)
class CheckpointPage:
    """Checkpoints, newest first; why a signature is not valid; the last key unless no page follows."""

    checkpoints: tuple[AuditCheckpoint, ...]
    problem: str | None
    last_key: str


def _read_checkpoints(after: str) -> CheckpointPage:
    keys = container().audit_checkpoints.list_keys(after=after, limit=CHECKPOINTS_PER_PAGE)
    read = list(container().executor.map(_read_checkpoint, keys))
    problem = next((one for one in read if isinstance(one, str)), None)
    last_key = keys[-1] if len(keys) == CHECKPOINTS_PER_PAGE else ""
    return CheckpointPage(tuple(one for one in read if not isinstance(one, str)), problem, last_key)


def _read_checkpoint(key: str) -> AuditCheckpoint | str:
    """The checkpoint, or why its signature is not valid."""
    try:
        return container().audit_checkpoints.read(key)
    except InvalidSignature as error:
        return str(error)


def _differences(checkpoints: Sequence[AuditCheckpoint], names: Collection[str]) -> list[ChainBreak]:
    """Where the chains of these names differ from the checkpoints."""
    anchors = {
        (name, head.number): head
        for checkpoint in checkpoints
        for name, head in checkpoint.heads.items()
        if name in names and head.number
    }
    hashes = container().audit_log.read_hashes(anchors)
    found = (find_difference(place[0], head, hashes.get(place)) for place, head in anchors.items())
    return [one for one in found if one]


def _verify_chain(name: str) -> tuple[ChainBreak | None, int]:
    """The first break of a chain, and the number of its entries."""
    chain = list(container().audit_log.read_chain(name))
    return find_first_break(chain), len(chain)


def _to_entry(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        chain=entry.chain,
        number=entry.number,
        at=entry.at,
        caller=entry.caller,
        role=entry.role,
        operation=entry.operation,
        resource_ids=dict(entry.resource_ids),
    )
