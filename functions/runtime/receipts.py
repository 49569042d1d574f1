"""Erasures as the API answers them: signed receipts, and how far an erasure is."""

import base64
import json
from typing import Any

from cloud.kms import KmsMac
from vigil.people.person import ErasureProgress, ErasureReceipt

RETAINED_DAYS = {"point_in_time_recovery": 35, "access_logs": 90, "function_logs": 30}
"""What AWS keeps after an erasure until its own end: backups of the tables but not of faces, names of photos
in the access logs of the buckets, ids of drops in the logs of functions."""


def erasure_json(erasure: ErasureReceipt | ErasureProgress, mac: KmsMac) -> dict[str, Any]:
    """The MAC is over the JSON of the receipt, keys sorted, no spaces."""
    if isinstance(erasure, ErasureProgress):
        return {
            "person": erasure.person,
            "state": "running",
            "step": erasure.step,
            "erased": dict(erasure.counts),
        }
    receipt = {
        "person": erasure.person,
        "erased_at": erasure.erased_at.isoformat(),
        "gallery_version": erasure.gallery_version,
        "erased": erasure.counts,
        "unreadable_datasets": list(erasure.unreadable_datasets),
        "retained_days": RETAINED_DAYS,
    }
    signed_bytes = json.dumps(receipt, sort_keys=True, separators=(",", ":")).encode()
    return {
        "person": erasure.person,
        "state": "completed",
        "erased": erasure.counts,
        "receipt": receipt,
        "mac": base64.b64encode(mac.sign(signed_bytes)).decode(),
    }
