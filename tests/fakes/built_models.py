"""The built models and the photographs, made at first use and then kept for every test of a run."""

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
    """Folder of the built models; built now where anything of them is missing or stale."""
    build_all(_ignore_progress)
    return RELEASES


def bundled_models(galleries: Callable[[str], Gallery] = Gallery) -> BundledModels:
    """Every built model; with no gallery, nobody is enrolled."""
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
    """Tests show no progress."""
