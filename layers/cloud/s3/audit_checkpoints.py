"""Where the audit log's chains stood at a time, sealed, outside their table: a cut-off end is missed."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from cloud.kms import KmsMac
from vigil.access.audit import AuditCheckpoint, ChainHead
from vigil.access.signing import InvalidSignature

CHECKPOINT_PREFIX = "audit/"
_KEY_COUNTDOWN_START = 10**15
"""Keys count down with the entries, because S3 lists from the first: the newest is found at once."""


class S3AuditCheckpoints:
    """One object for each state of the log that was met: it is put once, and never over another."""

    def __init__(self, client: Any, bucket: str, signer: KmsMac) -> None:
        self._client, self._bucket, self._signer = client, bucket, signer

    def save(self, checkpoint: AuditCheckpoint) -> bool:
        """Keep it; False where nothing was entered since the one before."""
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
        """The one that knows most entries. Raises Forged where it is not as it was sealed."""
        with translate_errors("store", "list checkpoints"):
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=CHECKPOINT_PREFIX, MaxKeys=1)
        if not listed.get("Contents"):
            return None
        key = listed["Contents"][0]["Key"]
        with translate_errors("store", "read checkpoint"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        document = json.loads(body)
        if not self._signer.verify(document["checkpoint"].encode(), base64.b64decode(document["mac"])):
            raise InvalidSignature(f"{key} is not as it was sealed")
        checkpoint = _parse_checkpoint(json.loads(document["checkpoint"]))
        if _checkpoint_key(checkpoint) != key:
            raise InvalidSignature(f"{key} is a copy of another")
        return checkpoint


def _checkpoint_key(checkpoint: AuditCheckpoint) -> str:
    entries = sum(head.number for head in checkpoint.heads.values())
    return f"{CHECKPOINT_PREFIX}{_KEY_COUNTDOWN_START - entries:016}.json"


def _parse_checkpoint(document: Mapping[str, Any]) -> AuditCheckpoint:
    heads = {chain: ChainHead(number, mark) for chain, (number, mark) in document["heads"].items()}
    return AuditCheckpoint(datetime.fromisoformat(document["at"]), heads)
