"""Synchronous predictions, and batches on the bulk lane."""

import base64
import json
from typing import Any

from functions.api.media import IMAGE_BODY_TYPES, read_image
from functions.api.operation import Call, operation
from functions.api.problems import CapacityExceeded, Forbidden, NotFound, UnprocessableContent
from functions.api.resources.drops import require_source
from functions.api.schemas.predict import BatchAccepted, BatchRequest, ImageInput, InlineImage, PredictionOut
from functions.runtime.container import container
from vigil.drops.messages import S3Object, compute_drop_id, parse_object_key
from vigil.errors import UnroutableKey
from vigil.inference.types import DEFAULT_GALLERY


@operation(
    "POST",
    "/v1/predict/{model}",
    role="reviewer",
    bound_tokens="limited",
    body_types=IMAGE_BODY_TYPES,
    audited=True,
    problems=(CapacityExceeded,),
)
def predict(call: Call, image_input: ImageInput | None = None) -> PredictionOut:
    """Run a model on an image.

    The answer is synchronous; neither the image nor the result is stored.
    """
    model = _deployed_model(call)
    galleries = image_input.root.galleries if image_input else (DEFAULT_GALLERY,)
    if not all(map(call.caller.can_access_gallery, galleries)):
        raise Forbidden(f"the token cannot access all of the galleries {', '.join(galleries)}")
    payload: dict[str, Any] = {"model": model, "galleries": galleries}
    if image_input is None:
        payload["data"] = base64.b64encode(read_image(call)).decode()
    elif isinstance(image_input.root, InlineImage):
        payload["data"] = base64.b64encode(read_image(call, image_input.root.image)).decode()
    else:
        _require_readable(call, image_input.root.object.key)
        payload["object"] = image_input.root.object.model_dump(exclude_none=True)
    response = invoke_predict(payload)
    return PredictionOut(model=model, **response)


@operation(
    "POST",
    "/v1/predict/{model}/batch",
    role="operator",
    bound_tokens="limited",
    status=202,
    audited=True,
    example={"source": "door-3", "objects": [{"key": "bulk/faces/door-3/frame.jpg"}]},
    problems=(UnprocessableContent,),
)
def predict_batch(call: Call, batch: BatchRequest) -> BatchAccepted:
    """Run a model on stored objects.

    Each object is processed as a drop on the bulk lane.
    """
    model = _deployed_model(call)
    require_source(call, batch.source)
    for reference in batch.objects:
        _require_readable(call, reference.key)
    bucket = container().settings.photos_bucket
    items = [
        S3Object(bucket, one.key, one.version or container().presigned_photos.latest_version(one.key))
        for one in batch.objects
    ]
    jobs = [json.dumps(_batch_message(model, batch.source, one)) for one in items]
    container().lane_queue("bulk").send_messages(jobs)
    return BatchAccepted(
        drops=tuple(compute_drop_id(one.bucket, one.key, one.version, model) for one in items)
    )


def _deployed_model(call: Call) -> str:
    model = call.path["model"]
    if model not in container().model_cards:
        raise NotFound(f"unknown model; use {', '.join(container().model_cards)}")
    return model


def _require_readable(call: Call, key: str) -> None:
    """Raise NotFound for an object that is not in a lane or whose source the caller cannot access."""
    try:
        source = parse_object_key(key)[1]
    except UnroutableKey as error:
        raise UnprocessableContent(str(error), reason=error.reason) from error
    if key.split("/", maxsplit=1)[0] not in ("live", "bulk") or not call.caller.can_access_source(source):
        raise NotFound


def invoke_predict(payload: dict[str, Any]) -> dict[str, Any]:
    """The response of the predict function. Raises FunctionThrottled, UnprocessableContent."""
    response = container().lambda_functions.invoke(container().settings.predict_function, payload)
    if "error" in response:
        raise UnprocessableContent(response["error"]["message"], reason=response["error"]["reason"])
    return response


def _batch_message(model: str, source: str, item: S3Object) -> dict[str, Any]:
    location = {"bucket": item.bucket, "key": item.key, "version_id": item.version}
    return {"model": model, "source": source, "s3": location}
