"""Schedule → where the audit log's chains stand, sealed and kept outside their table."""

from typing import Any

from chalice import Blueprint, Rate

from functions.runtime.handler import lambda_handler
from functions.runtime.wiring_direct import audit_checkpoint_writer

trigger = Blueprint(__name__)


@trigger.schedule(Rate(5, unit=Rate.MINUTES), name="audit_checkpoint")
@lambda_handler
def on_audit_checkpoint(event: Any) -> dict[str, Any]:  # noqa: ARG001 - a tick says nothing
    """A checkpoint, where anything was entered since the last one."""
    return {"kept": audit_checkpoint_writer()()}
