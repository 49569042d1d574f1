"""The built models and sample photographs, built once per test run."""

from functools import cache, partial
from pathlib import Path

from models.build.build import build_all
from models.build.files import RELEASES, ROOT
from vigil.faces.gallery import Gallery
from vigil.faces.recognizer import FaceRecognizer, GalleryProvider, open_face_recognizer
from vigil.inference.kinds import CARD_KINDS
from vigil.inference.repository import BundledModels

PHOTOS = ROOT / "tests" / "photos"


@cache
def built_releases() -> Path:
    """Return the folder of the built models; build missing or stale ones."""
    build_all(_ignore_progress)
    return RELEASES


def empty_gallery(_name: str, space: str) -> Gallery:
    return Gallery(space)


def bundled_models(galleries: GalleryProvider = empty_gallery) -> BundledModels:
    """Return every built model with an empty gallery."""
    return BundledModels(built_releases(), {"faces": partial(open_face_recognizer, galleries), **CARD_KINDS})


def faces_model(galleries: GalleryProvider = empty_gallery) -> FaceRecognizer:
    model = bundled_models(galleries).get("faces")
    assert isinstance(model, FaceRecognizer)
    return model


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def _ignore_progress(name: str, doing: str) -> None:
    """Ignore progress messages."""
