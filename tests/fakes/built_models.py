"""The built models and sample photographs, built once per test run."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from models.build.build import build_all
from models.build.files import RELEASES, ROOT
from vigil.faces.gallery import Gallery
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.inference.classifier import open_classifier
from vigil.inference.repository import BundledModels

PHOTOS = ROOT / "tests" / "photos"


@cache
def built_releases() -> Path:
    """Return the folder of the built models; build missing or stale ones."""
    build_all(_ignore_progress)
    return RELEASES


def bundled_models(galleries: Callable[[str], Gallery] = Gallery) -> BundledModels:
    """Return every built model with an empty gallery."""
    return BundledModels(
        built_releases(), {"faces": partial(open_face_recognizer, galleries), "classifier": open_classifier}
    )


def faces_model(galleries: Callable[[str], Gallery] = Gallery) -> FaceRecognizer:
    model = bundled_models(galleries).get("faces")
    assert isinstance(model, FaceRecognizer)
    return model


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def _ignore_progress(name: str, doing: str) -> None:
    """Ignore progress messages."""
