"""Predictions: one at once, on a function of its own; many through the bulk lane."""

import base64
import json
from typing import Any

from functions.api import wiring
from functions.api.images import MEDIA, image, unpacked
from functions.api.operation import Call, Operation
from functions.api.problems import Busy, Forbidden, NotFound, Refused
from functions.api.schemas import predict as shapes
from functions.settings import settings
from vigil.drops import Object, drop_id, route
from vigil.errors import UnroutableKey


def predict(call: Call, picture: shapes.Picture | None = None) -> shapes.Prediction:
    """What a model sees in a picture, now; nothing is stored."""
    model = _known(call)
    question: dict[str, Any] = {"model": model}
    if picture is None:
        question["data"] = base64.b64encode(image(call)).decode()
    elif isinstance(picture.root, shapes.Image):
        question["data"] = base64.b64encode(unpacked(picture.root.image)).decode()
    else:
        _may_read(call, picture.root.object.key)
        question["object"] = picture.root.object.model_dump(exclude_none=True)
    told = asked(question)
    return shapes.Prediction(model=model, **told)


def predict_batch(call: Call, batch: shapes.Batch) -> shapes.Queued:
    """Objects through the bulk lane: each becomes a drop."""
    model = _known(call)
    if not call.caller.sees(batch.source):
        raise Forbidden("your token is not for this source")
    for reference in batch.objects:
        _may_read(call, reference.key)
    bucket = settings().photos_bucket
    items = [
        Object(bucket, one.key, one.version or wiring.photos().version(one.key)) for one in batch.objects
    ]
    jobs = [json.dumps(_job(model, batch.source, one)) for one in items]
    wiring.bulk().send(jobs)
    return shapes.Queued(drops=tuple(drop_id(one.bucket, one.key, one.version, model) for one in items))


def _known(call: Call) -> str:
    model = call.path["model"]
    if model not in wiring.cards():
        raise NotFound(f"there are: {', '.join(wiring.cards())}")
    return model


def _may_read(call: Call, key: str) -> None:
    """Objects of lanes and sources that the caller may see, and no others."""
    try:
        source = route(key)[1]
    except UnroutableKey as error:
        raise Refused(str(error), reason=error.reason) from error
    if key.split("/", maxsplit=1)[0] not in ("live", "bulk") or not call.caller.sees(source):
        raise NotFound


def asked(question: dict[str, Any]) -> dict[str, Any]:
    """What the predict function says. Raises Shed where it has no worker free, Refused."""
    told = wiring.neighbours().ask(settings().predict_function, question)
    if "error" in told:
        raise Refused(told["error"]["message"], reason=told["error"]["reason"])
    return told


def _job(model: str, source: str, item: Object) -> dict[str, Any]:
    where = {"bucket": item.bucket, "key": item.key, "version_id": item.version}
    return {"model": model, "source": source, "s3": where}


OPERATIONS = (
    Operation(
        "POST",
        "/v1/predict/{model}",
        name="predict",
        summary="What a model sees in a picture, now",
        serve=predict,
        role="reviewer",
        takes=shapes.Picture,
        answers=shapes.Prediction,
        media=MEDIA,
        audited=True,
        problems=(NotFound, Refused, Busy),
    ),
    Operation(
        "POST",
        "/v1/predict/{model}/batch",
        name="predict-batch",
        summary="Objects through the bulk lane",
        serve=predict_batch,
        role="operator",
        takes=shapes.Batch,
        answers=shapes.Queued,
        status=202,
        audited=True,
        example={"source": "door-3", "objects": [{"key": "bulk/faces/door-3/frame.jpg"}]},
        problems=(NotFound, Forbidden, Refused),
    ),
)
