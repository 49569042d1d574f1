"""Schedule → a signed checkpoint of the audit chains, stored outside their table."""

from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.access.audit import AuditCheckpoint

trigger = Blueprint(__name__)


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="audit_checkpoint")
@lambda_handler
def on_audit_checkpoint(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """{"stored"}: whether there was anything new since the last checkpoint."""
    c = container()
    checkpoint = AuditCheckpoint(c.clock(), c.audit_log.read_heads())
    return {"stored": c.audit_checkpoints.save(checkpoint)}
