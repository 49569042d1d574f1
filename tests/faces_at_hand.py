"""The built models and the photographs, made at first use and then kept for every test of a run."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from infra.models.build import build_all
from infra.models.places import RELEASES, ROOT
from vigil.faces.gallery import Gallery
from vigil.faces.pipeline import FacesModel, open_faces
from vigil.predict.classifier import open_classifier
from vigil.predict.shelf import Shelf

PHOTOS = ROOT / "tests" / "photos"


@cache
def releases() -> Path:
    """Folder of the built models; built now where anything of them is missing or stale."""
    build_all(_untold)
    return RELEASES


def shelf(galleries: Callable[[str], Gallery] = Gallery) -> Shelf:
    """Every built model; with no gallery, nobody is enrolled."""
    return Shelf(releases(), {"faces": partial(open_faces, galleries), "classifier": open_classifier})


def faces_model(galleries: Callable[[str], Gallery] = Gallery) -> FacesModel:
    model = shelf(galleries).get("faces")
    assert isinstance(model, FacesModel)
    return model


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def _untold(name: str, doing: str) -> None:
    """Tests show no progress."""
