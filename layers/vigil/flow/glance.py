"""One picture, looked at and answered at once: no claim, no record, no alert."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from vigil.drops import Object
from vigil.errors import ObjectTooLarge, WrongType
from vigil.flow.stages import Stages
from vigil.ports import Objects
from vigil.seeing import Model, Models, Scene


@dataclass(frozen=True, slots=True)
class Glance:
    """What a model saw, and which release of it."""

    release: str
    scene: Scene
    times_ms: Mapping[str, float]


def glance(name: str, picture: Object | bytes, models: Models, objects: Objects) -> Glance:
    """Raises Rejected for what no model can see, as the lanes would note it."""
    model, stages = models.get(name), Stages(_unmarked)
    stages("read")
    data = _bytes(picture, model, objects)
    scene = model.see(data, {}, stages)
    return Glance(model.release, scene, stages.closed())


def _bytes(picture: Object | bytes, model: Model, objects: Objects) -> bytes:
    if isinstance(picture, bytes):
        if len(picture) > model.max_bytes:
            raise ObjectTooLarge(f"{len(picture)} bytes, {model.name} takes {model.max_bytes}")
        return picture
    suffix = PurePosixPath(picture.key).suffix.lower()
    if suffix and suffix not in model.suffixes:
        raise WrongType(f"{model.name} reads {', '.join(sorted(model.suffixes))}, not {suffix}")
    return objects.fetch(picture, model.max_bytes)


def _unmarked(_: str) -> None:
    """Nobody renews anything."""
