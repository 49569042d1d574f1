"""Signed audit checkpoints in S3, apart from the audit table, so that a truncated chain is noticed."""

import base64
import json
from datetime import datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from cloud.kms import KmsMac
from vigil.access.audit import AuditCheckpoint, ChainHead
from vigil.access.signing import InvalidSignature

CHECKPOINT_PREFIX = "audit/"
_KEY_COUNTDOWN_START = 10**15
"""Keys count down with the number of entries, because S3 lists in the order of keys: the newest is first."""


class _SignedCheckpoint(msgspec.Struct, frozen=True):
    """A stored object: the checkpoint as JSON, and its MAC in base64."""

    checkpoint: str
    mac: str


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
        keys = self.list_keys(limit=1)
        return self.read(keys[0]) if keys else None

    def list_keys(self, *, after: str = "", limit: int) -> list[str]:
        """The keys of checkpoints, that with most entries first; only those that follow `after`."""
        with translate_errors("store", "list checkpoints"):
            listed = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=CHECKPOINT_PREFIX, MaxKeys=limit, StartAfter=after
            )
        return [one["Key"] for one in listed.get("Contents", ())]

    def read(self, key: str) -> AuditCheckpoint:
        """The checkpoint of a key. Raises InvalidSignature if the object was changed or copied."""
        with translate_errors("store", "read checkpoint"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            document = msgspec.json.decode(body, type=_SignedCheckpoint)
            mac = base64.b64decode(document.mac)
        except ValueError as error:
            raise InvalidSignature(f"{key} is not a signed checkpoint") from error
        if not self._signer.verify(document.checkpoint.encode(), mac):
            raise InvalidSignature(f"{key} does not match its signature")
        content = json.loads(document.checkpoint)
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
