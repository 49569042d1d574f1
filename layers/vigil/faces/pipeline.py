"""The `faces` model: a photograph's bytes in, everyone in it out, each known, unknown, ambiguous or unfit."""

from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from vigil.faces.gallery import Gallery
from vigil.faces.look import Eyes, Face, Look, open_eyes
from vigil.faces.match import FaceSettings, Verdict, judge
from vigil.predict.card import Accepts
from vigil.predict.decode import decode
from vigil.predict.release import Release
from vigil.predict.shelf import Part
from vigil.seeing import Mark, Option, Scene, Sighting

Galleries = Callable[[str], Gallery]
"""Embedding -> the gallery in force now; an empty one of that embedding where nobody is enrolled."""


class FacesModel:
    """Port Model, over a detector, a landmarker, an embedder and whatever gallery is current."""

    def __init__(self, release: Release, eyes: Eyes, galleries: Galleries) -> None:
        self.name = release.name
        self.release = release.id
        self.settings = FaceSettings.read(release.card)
        self._accepts = Accepts.read(release.card)
        self._eyes = eyes
        self._galleries = galleries

    @property
    def suffixes(self) -> frozenset[str]:
        return self._accepts.suffixes

    @property
    def max_bytes(self) -> int:
        return self._accepts.max_bytes

    @property
    def embed(self) -> str:
        """Id of the vector space; a gallery for this model carries the same."""
        return self._eyes.embedder.space

    def see(self, data: bytes, options: Mapping[str, Option], mark: Mark) -> Scene:
        """Who is in the photograph. Options: `detect` 320, 480, 640, "tiles"; `landmarks` "once", "twice"."""
        look = self.look(data, options, mark)
        mark("match")
        verdicts = self.match(look.faces, self._galleries(self.embed))
        sightings = [
            self._sighting(face, verdict) for face, verdict in zip(look.faces, verdicts, strict=True)
        ]
        return Scene(tuple(sightings), found=look.found, size_px=look.size_px, notes=look.notes)

    def look(
        self, data: bytes, options: Mapping[str, Option] | None = None, mark: Mark | None = None
    ) -> Look:
        """Every face in full detail, without comparing it with anybody."""
        return self._eyes.look(data, options or {}, mark or _unmarked)

    def unpacked(self, data: bytes) -> Image.Image:
        """The upright picture at full size."""
        return decode(data, self._accepts).image

    def match(self, faces: Sequence[Face], gallery: Gallery) -> tuple[Verdict, ...]:
        """Who each face is. Raises OtherSpace where the templates are of another embedding."""
        return judge(faces, gallery, self.settings)

    def _sighting(self, face: Face, verdict: Verdict) -> Sighting:
        return Sighting(
            label=verdict.label,
            status=verdict.status,
            score=verdict.score,
            threshold=verdict.threshold,
            box_px=face.box_px,
            quality=face.quality,
            vector=face.vector,
            space=face.space,
            same_as=self.settings.same_as,
            tags=verdict.tags,
            faults=face.faults,
        )


def open_faces(galleries: Galleries, release: Release, part: Part) -> FacesModel:
    """A Pipeline once its first argument is bound: `partial(open_faces, galleries)`."""
    return FacesModel(release, open_eyes(release, part), galleries)


def _unmarked(stage: str) -> None:
    """Nobody wants to know the stage."""
