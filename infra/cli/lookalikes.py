"""Faces of strangers that are kept, held against a photo: whose they are cannot be read off them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cloud.strangers import DynamoStrangers
from cloud.windows import KEPT, window_of, windows
from infra.cli.deployment import Deployment
from infra.cli.recognise import shelf
from vigil.flow.search import Remembered, probe

EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Lookalikes:
    """`looked` counts the faces that lie in the space of this machine's model: others cannot be compared."""

    def __init__(self, cloud: Deployment, photo: Path) -> None:
        """Raises NotOneFace, and what decoding raises."""
        self._client, self._table = cloud.client("dynamodb"), cloud.outputs["RecordsTable"]
        self._face = probe(shelf().get("faces").see(photo.read_bytes(), {}, lambda _: None).sightings)
        self.looked = 0

    def found(self) -> Iterator[str]:
        """Where somebody like that is remembered, in sightings and in windows of strangers."""
        for one in self._remembered():
            if one.space == self._face.space:
                self.looked += 1
                if one.vector @ self._face.vector >= one.same_as:
                    yield f"sighting {one.drop}-{one.number}: a stranger's face"
        for source, window in windows(self._client, self._table, since=datetime.now(UTC) - 2 * KEPT):
            if window.endswith(f"#{self._face.space}"):
                yield from self._among(source, window)

    def _remembered(self) -> Iterator[Remembered]:
        return DynamoStrangers(self._client, self._table).remembered(since=EVER)

    def _among(self, source: str, window: str) -> Iterator[str]:
        strangers = window_of(self._client, self._table, source, window)
        for ident, vector in zip(strangers.ids, strangers.vectors, strict=True):
            self.looked += 1
            if vector @ self._face.vector >= strangers.same_as:
                yield f"strangers of {source}, {window.split('#', maxsplit=1)[0]}: {ident}"
