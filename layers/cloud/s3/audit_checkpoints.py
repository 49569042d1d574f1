"""Signed audit checkpoints in S3, apart from the audit table, so that a truncated chain is noticed."""

import base64
import json
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from cloud.kms import KmsMac
from vigil.access.audit import AuditCheckpoint, ChainHead
from vigil.access.signing import InvalidSignature

CHECKPOINT_PREFIX = "audit/"
_KEY_COUNTDOWN_START = 10**15
"""Keys count down with the number of entries, because S3 lists in the order of keys: the newest is first."""


class S3AuditCheckpoints:
    """One object for each number of audit entries; it is never overwritten."""

    def __init__(self, client: Any, bucket: str, signer: KmsMac) -> None:
        self._client, self._bucket, self._signer = client, bucket, signer

    def save(self, checkpoint: AuditCheckpoint) -> bool:
        """Store a signed checkpoint; False if there is no new entry since the last one."""
        heads = {chain: [head.number, head.entry_hash] for chain, head in checkpoint.heads.items()}
        text = json.dumps({"at": checkpoint.at.isoformat(), "heads": heads}, sort_keys=True)
        mac = base64.b64encode(self._signer.sign(text.encode())).decode()
        with translate_errors("store", "store checkpoint"):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=_checkpoint_key(checkpoint),
                    Body=json.dumps({"checkpoint": text, "mac": mac}).encode(),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True

    def read_latest(self) -> AuditCheckpoint | None:
        """The checkpoint with most entries. Raises InvalidSignature if the object was changed or copied."""
        with translate_errors("store", "list checkpoints"):
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=CHECKPOINT_PREFIX, MaxKeys=1)
        if not listed.get("Contents"):
            return None
        key = listed["Contents"][0]["Key"]
        with translate_errors("store", "read checkpoint"):
            document = json.loads(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        if not self._signer.verify(document["checkpoint"].encode(), base64.b64decode(document["mac"])):
            raise InvalidSignature(f"{key} does not match its signature")
        content = json.loads(document["checkpoint"])
        heads = {
            chain: ChainHead(number, entry_hash) for chain, (number, entry_hash) in content["heads"].items()
        }
        checkpoint = AuditCheckpoint(datetime.fromisoformat(content["at"]), heads)
        if _checkpoint_key(checkpoint) != key:
            raise InvalidSignature(f"{key} is a copy of another checkpoint")
        return checkpoint


def _checkpoint_key(checkpoint: AuditCheckpoint) -> str:
    entries = sum(head.number for head in checkpoint.heads.values())
    return f"{CHECKPOINT_PREFIX}{_KEY_COUNTDOWN_START - entries:016}.json"
