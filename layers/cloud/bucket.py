"""Port Shelves: the photos bucket's object versions, a page of one lane's folder at a time."""

import json
from collections.abc import Sequence
from typing import Any

from cloud.faults import faults
from vigil.drops import Object
from vigil.steady.reconcile import Listed

FOLDERS = ("live/", "bulk/")


class Bucket:
    """A cursor is JSON: folder, key and version to go on after. Deleted versions are not listed."""

    def __init__(self, client: Any, name: str, *, page: int = 1000) -> None:
        self._client, self._name, self._page = client, name, page

    def edition(self) -> str:
        """A listing is of this moment."""
        return ""

    def holds(self, _item: Object) -> bool:
        """What was listed was there a moment ago; who is faster finds that it is gone."""
        return True

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        folder, *marker = json.loads(cursor) if cursor else [FOLDERS[0]]
        names = ("KeyMarker", "VersionIdMarker")
        after = {name: text for name, text in zip(names, marker, strict=False) if text}
        with faults("list objects"):
            answer = self._client.list_object_versions(
                Bucket=self._name, Prefix=folder, MaxKeys=self._page, **after
            )
        listed = [self._listed(version) for version in answer.get("Versions", ())]
        return listed, _next(folder, answer)

    def _listed(self, version: dict[str, Any]) -> Listed:
        return Listed(Object(self._name, version["Key"], version["VersionId"]), version["LastModified"])


def _next(folder: str, answer: dict[str, Any]) -> str:
    if answer["IsTruncated"]:
        return json.dumps([folder, answer["NextKeyMarker"], answer.get("NextVersionIdMarker", "")])
    following = FOLDERS.index(folder) + 1
    return json.dumps([FOLDERS[following]]) if following < len(FOLDERS) else ""
