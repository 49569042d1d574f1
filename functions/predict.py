"""Direct invocation → a model's prediction for one image, or a search for a face; nothing is stored."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container, warm_up
from functions.runtime.handler import exit_if_release_damaged, lambda_handler
from vigil.drops.messages import InlinePayload, S3Object
from vigil.drops.prediction import PredictionResult, predict_once, read_input
from vigil.errors import Rejected
from vigil.inference.types import DEFAULT_GALLERY, GALLERIES_OPTION, Model
from vigil.people.collection_search import (
    SearchLimits,
    search_by_face,
    search_by_photo,
    search_users_by_faces,
    search_users_by_photo,
)
from vigil.people.comparison import compare_photos
from vigil.people.search import search_faces

trigger = Blueprint(__name__)
warm_up(lambda container: container.settings.open_preloaded(container.bundled_models.get))


SEARCH_MARGIN_MS = 5_000
"""A search compares no more faces with less time left, and says how far it came."""


@trigger.lambda_function(name="predict")
@lambda_handler
def on_predict(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model", "data": base64} or {"model", "object": {"key", "version"?}}, "galleries"? → prediction."""
    if "search" in event:
        return _search(event, context)
    options = {GALLERIES_OPTION: " ".join(map(str, event.get("galleries", [DEFAULT_GALLERY])))}
    models, reader = container().active_models, container().input_reader
    try:
        with exit_if_release_damaged():
            if "describe" in event:
                return _describe(event)
            if "match" in event:
                return _match(event)
            if "match_users" in event:
                return _match_users(event)
            image = _image_of(event)
            return _prediction_json(predict_once(str(event["model"]), image, options, models, reader))
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}


def _image_of(event: Mapping[str, Any]) -> S3Object | bytes:
    if "object" not in event:
        return base64.b64decode(event["data"])
    reference = event["object"]
    return S3Object(
        container().settings.photos_bucket, str(reference["key"]), str(reference.get("version") or "")
    )


def _describe(event: Mapping[str, Any]) -> dict[str, Any]:
    """{"model", "describe": [image, another?]} → {"photos": [{"faces", "similarities", ...}], "source"}."""
    model = container().active_models.get(str(event["model"]))
    return asdict(compare_photos(_read_photos(event["describe"], model), model))


def _read_photos(references: Iterable[Mapping[str, Any]], model: Model) -> list[bytes]:
    images = map(_image_of, references)
    payloads = [InlinePayload(one) if isinstance(one, bytes) else one for one in images]
    return [read_input(one, model, container().input_reader) for one in payloads]


def _match(event: Mapping[str, Any]) -> dict[str, Any]:
    """{"model", "match": {"gallery", "least_percent", "limit"}, "face_id" or image} → the matches."""
    model, scope = container().active_models.get(str(event["model"])), SearchLimits(**event["match"])
    faces = container().templates.enrolled_faces
    if "face_id" in event:
        face_id = str(event["face_id"])
        key = container().templates.find_keys([face_id]).get(face_id)
        result = search_by_face(key, model, scope, faces)
    else:
        (photo,) = _read_photos([event], model)
        result = search_by_photo(photo, model, scope, faces)
    matches = [
        {"face_id": one.record.face_id, "similarity": one.similarity, "user": one.record.user}
        | (asdict(one.record.origin) if one.record.origin else {})
        for one in result.matches
    ]
    probe = {"size_px": result.size_px, **asdict(result.probe)} if result.probe else None
    return {"matches": matches, "probe": probe}


def _match_users(event: Mapping[str, Any]) -> dict[str, Any]:
    """{"model", "match_users": as "match", "face_id"; or "user", "person"; or image, "least_quality"}."""
    model, scope = container().active_models.get(str(event["model"])), SearchLimits(**event["match_users"])
    templates, user = container().templates, event.get("user")
    if user is not None:
        keys = [one.key for one in templates.face_records(event["person"]) if one.user == user]
        return asdict(search_users_by_faces(keys, user, model, scope, templates.enrolled_faces))
    if "face_id" in event:
        keys = list(templates.find_keys([event["face_id"]]).values())
        return asdict(search_users_by_faces(keys, None, model, scope, templates.enrolled_faces))
    least, (photo,) = event["least_quality"], _read_photos([event], model)
    return asdict(search_users_by_photo(photo, model, scope, templates.enrolled_faces, least))


def _search(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """{"model", "data", "search": {"days"}} → {"hits": [...], "searched_since"}, the best first."""
    now = datetime.now(UTC)
    since = now - timedelta(days=int(event["search"]["days"]))
    try:
        found = search_faces(
            base64.b64decode(event["data"]),
            container().active_models.get(str(event["model"])),
            container().unknown_faces.stored_faces(since=since, until=now),
            since=since,
            has_time=lambda: context.get_remaining_time_in_millis() > SEARCH_MARGIN_MS,
        )
    except Rejected as fault:
        return {"error": {"reason": fault.reason, "message": str(fault)}}
    return {
        "hits": [
            {
                "sighting": f"{one.face.drop}-{one.face.sighting_index}",
                "drop": one.face.drop,
                "source": one.face.source,
                "at": one.face.occurred_at.isoformat(),
                "score": round(one.score, 4),
            }
            for one in found.hits
        ],
        "searched_since": found.searched_since.isoformat(),
    }


def _prediction_json(result: PredictionResult) -> dict[str, Any]:
    return {
        "release": result.release,
        "found": result.prediction.found,
        "size_px": result.prediction.size_px,
        "times_ms": dict(result.times_ms),
        "sightings": [
            {
                "label": one.label,
                "status": one.status,
                "score": one.score,
                "threshold": one.threshold,
                "box_px": one.box_px,
                "quality": one.quality,
                "tags": sorted(one.tags),
                "quality_issues": one.quality_issues,
                "value": one.value,
                "text": one.text,
                "row": one.row,
                "span_s": one.span_s,
            }
            for one in result.prediction.sightings
        ],
    }
