"""Direct invocation → a person is erased; returns a signed receipt."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.errors import Rejected
from vigil.people.person import ErasureReceipt

trigger = Blueprint(__name__)


@trigger.lambda_function(name="erase")
@lambda_handler
def on_erase(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"person"} → {"receipt", "mac"}; the MAC is over the receipt's JSON, keys sorted, no spaces."""
    try:
        receipt = _receipt_json(container().erasure.erase_person(str(event["person"])))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    signed_bytes = json.dumps(receipt, sort_keys=True, separators=(",", ":")).encode()
    return {"receipt": receipt, "mac": base64.b64encode(container().mac.sign(signed_bytes)).decode()}


def _receipt_json(erased: ErasureReceipt) -> dict[str, Any]:
    return {
        "person": erased.person,
        "erased_at": erased.erased_at.isoformat(),
        "gallery_version": erased.gallery_version,
        "erased": erased.counts,
    }
