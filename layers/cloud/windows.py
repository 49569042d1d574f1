"""The strangers of a source and window as rows: their faces, kept for a day, and the window in a list.

strangers#<source>#<window>[#<space>]  faces   all of them, guarded by a revision
strangers#<source>#<window>[#<space>]  window  listed; apart, as an index would copy all faces at every write
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from cloud.faults import code, faults
from cloud.items import Item, fields, item
from cloud.listing import Listing, listed
from vigil.watch.strangers import Strangers, nobody

KEPT = timedelta(days=1)
_LIST = "strangers"


def window_writes(table: str, strangers: Strangers, now: datetime) -> list[Item]:
    """What keeps a window in a transaction; the first to keep it lists it."""
    expires = int((now + KEPT).timestamp())
    puts = [_faces(strangers, expires)]
    if not strangers.revision:
        pk = _pk(strangers.source, strangers.window)
        told = {"pk": pk, "sk": "window", "taken_from": strangers.source, "window": strangers.window}
        puts.append({"Item": item(told | {"expires": expires} | listed(_LIST, pk, now))})
    return [{"Put": {"TableName": table, **put}} for put in puts]


def window_of(client: Any, table: str, source: str, window: str) -> Strangers:
    """Who was unknown there so far, read consistently."""
    with faults("read strangers"):
        answer = client.get_item(TableName=table, Key=_key(source, window), ConsistentRead=True)
    if "Item" not in answer:
        return nobody(source, window)
    row = fields(answer["Item"])
    vectors = np.frombuffer(row["vectors"], np.float16).astype(np.float32)
    ids = tuple(row["ids"])
    shaped = vectors.reshape(len(ids), -1) if ids else nobody(source, window).vectors
    return Strangers(source, window, row["revision"], ids, shaped, row["same_as"])


def windows(client: Any, table: str, *, since: datetime) -> Iterator[tuple[str, str]]:
    """Source and window of each that is kept."""
    for row in Listing(client, table).newest(_LIST, since=since):
        yield row["taken_from"], row["window"]


def shrunk(client: Any, table: str, strangers: Strangers) -> bool:
    """Keep fewer strangers than were read; whether nobody kept others in between."""
    put = _faces(strangers, 0)
    changed = {f":{name}": put["Item"][name] for name in ("revision", "ids", "vectors")}
    with faults("forget strangers"):
        try:
            client.update_item(
                TableName=table,
                Key=_key(strangers.source, strangers.window),
                UpdateExpression="SET revision = :revision, ids = :ids, vectors = :vectors",
                ConditionExpression="revision = :before",
                ExpressionAttributeValues=changed | item({":before": strangers.revision}),
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return False
    return True


def _faces(strangers: Strangers, expires: int) -> Item:
    """The row at its next revision. In half precision, as whole a window as there can be fits into one."""
    row = {
        "pk": _pk(strangers.source, strangers.window),
        "sk": "faces",
        "revision": strangers.revision + 1,
        "ids": list(strangers.ids),
        "vectors": strangers.vectors.astype(np.float16).tobytes(),
        "same_as": strangers.same_as,
        "expires": expires,
    }
    return {
        "Item": item(row),
        "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
        "ExpressionAttributeValues": item({":revision": strangers.revision}),
    }


def _key(source: str, window: str) -> Item:
    return item({"pk": _pk(source, window), "sk": "faces"})


def _pk(source: str, window: str) -> str:
    return f"strangers#{source}#{window}"
