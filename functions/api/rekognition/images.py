"""The images of a request, described by the predict function, and faces in Rekognition's shapes."""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.api.rekognition.errors import InvalidParameter, InvalidS3Object, error_from_rejection
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.drops.messages import S3Object, parse_object_key
from vigil.errors import UnroutableKey

FACES_MODEL = "faces"
MAX_STORED_BYTES = 15 * 1024 * 1024
"""Rekognition's limit of an image in S3."""

DEFAULT_LANDMARKS = ("eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose")

Face = Mapping[str, Any]
"""A face as the predict function describes it, with the size of its picture and its similarity."""


@dataclass(frozen=True, slots=True)
class DescribedImages:
    """The faces of each image; `source` is the index of the largest face of the first one.

    A face of the second image has its similarity to that face, if there is one.
    """

    faces: Sequence[Sequence[Face]]
    source: int | None


def describe_images(caller: Caller, *images: Mapping[str, Any]) -> DescribedImages:
    """The faces in one or two images. Raises RekognitionError, FunctionThrottled, Transient."""
    references = [to_reference(caller, image) for image in images]
    payload = {"model": FACES_MODEL, "describe": references}
    response = invoke_function(container().settings.predict_function, payload)
    return DescribedImages([_to_faces(photo) for photo in response["photos"]], response["source"])


def invoke_function(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The answer of a function. Raises RekognitionError, FunctionThrottled, Transient."""
    response = container().lambda_functions.invoke(name, payload)
    if "error" in response:
        raise error_from_rejection(response["error"]["reason"], response["error"]["message"])
    return response


def _to_faces(photo: Mapping[str, Any]) -> list[Face]:
    similarities = photo["similarities"] or [None] * len(photo["faces"])
    return [
        {**face, "size_px": photo["size_px"], "similarity": similarity}
        for face, similarity in zip(photo["faces"], similarities, strict=True)
    ]


def to_reference(caller: Caller, image: Mapping[str, Any]) -> dict[str, Any]:
    """The image for the predict function. Raises InvalidParameter, InvalidS3Object."""
    stored = _find_object(caller, image)
    if stored is None:
        return {"data": base64.b64encode(image["Bytes"]).decode()}
    return {"object": {"key": stored.key, "version": stored.version or None}}


def read_image(caller: Caller, image: Mapping[str, Any]) -> bytes:
    """The bytes of the image. Raises RekognitionError, ObjectNotFound, ObjectTooLarge, Transient."""
    stored = _find_object(caller, image)
    return (
        bytes(image["Bytes"]) if stored is None else container().input_reader.fetch(stored, MAX_STORED_BYTES)
    )


def _find_object(caller: Caller, image: Mapping[str, Any]) -> S3Object | None:
    """The object of an image that is not in the request. Raises InvalidParameter, InvalidS3Object."""
    if ("Bytes" in image) == ("S3Object" in image):
        raise InvalidParameter("an image needs either Bytes or S3Object")
    if "Bytes" in image:
        return None
    location = image["S3Object"]
    if "Bucket" not in location or "Name" not in location:
        raise InvalidParameter("an S3Object needs Bucket and Name")
    if location["Bucket"] != container().settings.photos_bucket or not _is_readable(caller, location["Name"]):
        raise InvalidS3Object
    return S3Object(location["Bucket"], location["Name"], location.get("Version") or "")


def _is_readable(caller: Caller, key: str) -> bool:
    try:
        source = parse_object_key(key)[1]
    except UnroutableKey:
        return False
    return key.split("/", maxsplit=1)[0] in ("live", "bulk") and caller.can_access_source(source)


def to_bounding_box(face: Face) -> dict[str, float]:
    """The box as shares of the picture's width and height."""
    (left, top, right, bottom), (width, height) = face["box_px"], face["size_px"]
    return {
        "Width": (right - left) / width,
        "Height": (bottom - top) / height,
        "Left": left / width,
        "Top": top / height,
    }


def to_face_detail(face: Face, attributes: Collection[str]) -> dict[str, Any]:
    """The face with the landmarks that the attributes ask for."""
    return to_compared_face(face, face["landmarks"] if "ALL" in attributes else DEFAULT_LANDMARKS)


def to_compared_face(face: Face, landmarks: Iterable[str] = DEFAULT_LANDMARKS) -> dict[str, Any]:
    """The members that Rekognition's shapes of faces share: ComparedFace and FaceDetail."""
    width, height = face["size_px"]
    pose, points = face["pose"], face["landmarks"]
    return {
        "BoundingBox": to_bounding_box(face),
        "Confidence": 100 * face["confidence"],
        "Landmarks": [
            {"Type": name, "X": points[name][0] / width, "Y": points[name][1] / height} for name in landmarks
        ],
        "Pose": {"Roll": pose["roll"], "Yaw": pose["yaw"], "Pitch": pose["pitch"]},
        "Quality": {"Brightness": 100 * face["brightness"], "Sharpness": 100 * face["sharpness"]},
    }


QUALITY_LEVELS = {"NONE": 0.0, "LOW": 0.15, "AUTO": 0.3, "MEDIUM": 0.3, "HIGH": 0.6}
"""The least quality of a face by QualityFilter."""


def passes_filter(face: Face, quality_filter: str) -> bool:
    """Whether a face is good enough; without a filter every face is."""
    if quality_filter == "NONE":
        return True
    return not face["quality_issues"] and face["quality"] >= QUALITY_LEVELS[quality_filter]
