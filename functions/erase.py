"""Direct invocation → a person erased, and a sealed receipt for it."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.asking import seal, shredder
from functions.bounded import bounded
from vigil.errors import Rejected
from vigil.flow.erase import Erased, erase

trigger = Blueprint(__name__)


@trigger.lambda_function(name="erase")
@bounded
def on_erase(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"person"} → {"receipt", "seal"}; the seal is over the receipt's JSON, keys sorted, no spaces."""
    try:
        receipt = _told(erase(str(event["person"]), shredder()))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    sealed = json.dumps(receipt, sort_keys=True, separators=(",", ":")).encode()
    return {"receipt": receipt, "seal": base64.b64encode(seal().mac(sealed)).decode()}


def _told(erased: Erased) -> dict[str, Any]:
    return {
        "person": erased.person,
        "erased_at": erased.at.isoformat(),
        "gallery_version": erased.gallery_version,
        "erased": erased.counts,
    }
