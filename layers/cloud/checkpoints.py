"""Where the audit log's chains stood at a time, sealed, outside their table: a cut-off end is missed."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.sealing import KmsSeal
from vigil.access.audit import Checkpoint, Head
from vigil.access.seals import Forged

PREFIX = "audit/"
_COUNTED_FROM = 10**15
"""Keys count down with the entries, because S3 lists from the first: the newest is found at once."""


class Checkpoints:
    """One object for each state of the log that was met: it is put once, and never over another."""

    def __init__(self, client: Any, bucket: str, seal: KmsSeal) -> None:
        self._client, self._bucket, self._seal = client, bucket, seal

    def put(self, checkpoint: Checkpoint) -> bool:
        """Keep it; False where nothing was entered since the one before."""
        heads = {chain: [head.number, head.mark] for chain, head in checkpoint.heads.items()}
        text = json.dumps({"at": checkpoint.at.isoformat(), "heads": heads}, sort_keys=True)
        mac = base64.b64encode(self._seal.mac(text.encode())).decode()
        with faults("keep checkpoint"):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=_key(checkpoint),
                    Body=json.dumps({"checkpoint": text, "seal": mac}).encode(),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if code(error) != "PreconditionFailed":
                    raise
                return False
        return True

    def newest(self) -> Checkpoint | None:
        """The one that knows most entries. Raises Forged where it is not as it was sealed."""
        with faults("list checkpoints"):
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=PREFIX, MaxKeys=1)
        if not listed.get("Contents"):
            return None
        key = listed["Contents"][0]["Key"]
        with faults("read checkpoint"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        told = json.loads(body)
        if not self._seal.holds(told["checkpoint"].encode(), base64.b64decode(told["seal"])):
            raise Forged(f"{key} is not as it was sealed")
        read = _read(json.loads(told["checkpoint"]))
        if _key(read) != key:
            raise Forged(f"{key} is a copy of another")
        return read


def _key(checkpoint: Checkpoint) -> str:
    entries = sum(head.number for head in checkpoint.heads.values())
    return f"{PREFIX}{_COUNTED_FROM - entries:016}.json"


def _read(told: Mapping[str, Any]) -> Checkpoint:
    heads = {chain: Head(number, mark) for chain, (number, mark) in told["heads"].items()}
    return Checkpoint(datetime.fromisoformat(told["at"]), heads)
