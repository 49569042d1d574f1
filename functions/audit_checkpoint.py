"""Schedule → a signed checkpoint of the audit chains, stored outside their table.

A checkpoint is signed only if every chain still contains the end that the former one knows. Otherwise a log
that was cut off would be valid again with the next checkpoint.
"""

from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.container import Container, container
from functions.runtime.handler import lambda_handler
from vigil.access.audit import AuditCheckpoint, ChainBreak, ChainHead, extend_head
from vigil.access.signing import InvalidSignature

trigger = Blueprint(__name__)


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="audit_checkpoint")
@lambda_handler
def on_audit_checkpoint(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """{"stored", "problems"}: whether there was anything new and whole to seal, and what is broken."""
    c = container()
    now = c.clock()
    heads, problems = _extend_chains(c)
    stored = not problems and c.audit_checkpoints.save(AuditCheckpoint(now, heads))
    for problem in problems:
        c.logger.error("audit-log-broken", extra={"detail": problem})
    c.metrics.count("AuditLogBroken", int(bool(problems)))
    c.metrics.flush()
    return {"stored": stored, "problems": problems}


def _extend_chains(c: Container) -> tuple[dict[str, ChainHead], list[str]]:
    """The end of each chain, and each reason against a checkpoint."""
    try:
        previous = c.audit_checkpoints.read_latest()
    except InvalidSignature as error:
        return {}, [str(error)]
    heads: dict[str, ChainHead] = {}
    problems: list[str] = []
    for chain in c.audit_log.chains:
        known = previous.heads.get(chain, ChainHead()) if previous else ChainHead()
        end = extend_head(chain, known, c.audit_log.entries_from(chain, known.number))
        if isinstance(end, ChainBreak):
            problems.append(f"{chain}: entry {end.number} {end.reason}")
        else:
            heads[chain] = end
    return heads, problems
