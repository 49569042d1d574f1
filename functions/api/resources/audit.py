"""The audit log: its entries, and the verification of its chains."""

from heapq import merge

from functions.api.operation import Call, operation
from functions.api.pagination import MAX_ROWS_READ, next_cursor, start_position
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
    ChainHead,
    chain_for,
    compare_with_checkpoint,
    find_first_break,
)
from vigil.access.signing import InvalidSignature

PAGE_SIZE = 50
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
def verify_audit_log(_: Call, query: AuditVerificationQuery) -> AuditVerification:
    """Verify the audit log.

    Every entry must contain the hash of the one before, and the latest signed checkpoint must match. Verify a
    long log chain by chain.
    """
    checkpoint, problem = _latest_checkpoint()
    names = CHAINS if query.chain is None else (CHAINS[query.chain],)
    results = list(container().executor.map(lambda name: _verify_chain(name, checkpoint), names))
    breaks = tuple(
        ChainBreakOut(chain=one.chain, number=one.number, reason=one.reason) for one, _ in results if one
    )
    return AuditVerification(
        valid=not breaks and not problem,
        chains=sum(count > 0 for _, count in results),
        entries=sum(count for _, count in results),
        breaks=breaks,
        checkpoint_at=checkpoint.at if checkpoint else None,
        checkpoint_error=problem,
    )


def _latest_checkpoint() -> tuple[AuditCheckpoint | None, str | None]:
    """The latest checkpoint, or why its signature is not valid."""
    try:
        return container().audit_checkpoints.read_latest(), None
    except InvalidSignature as error:
        return None, str(error)


def _verify_chain(name: str, checkpoint: AuditCheckpoint | None) -> tuple[ChainBreak | None, int]:
    """The first break of a chain, and the number of its entries."""
    chain = list(container().audit_log.read_chain(name))
    found = find_first_break(chain)
    if found is None and checkpoint is not None:
        hashes = [entry_hash for _, entry_hash in chain]
        found = compare_with_checkpoint(name, hashes, checkpoint.heads.get(name, ChainHead()))
    return found, len(chain)


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
