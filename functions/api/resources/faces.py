"""Faces: two photos compared, and the candidates of a face; nothing is stored."""

import base64

from functions.api.media import read_image
from functions.api.operation import Call, operation
from functions.api.problems import CapacityExceeded, Forbidden, UnprocessableContent
from functions.api.resources.people import find_names
from functions.api.resources.predict import invoke_predict
from functions.api.schemas.faces import (
    ComparedFace,
    FaceCandidateList,
    FaceCandidateOut,
    FaceComparison,
    FaceProbe,
    PhotoPair,
)
from vigil.people.face_records import parse_face_id

FACES_MODEL = "faces"


@operation(
    "POST",
    "/v1/faces/compare",
    role="reviewer",
    bound_tokens="allowed",
    has_images=True,
    audited=True,
    problems=(CapacityExceeded, UnprocessableContent),
)
def compare_faces(call: Call, pair: PhotoPair) -> FaceComparison:
    """Compare two faces.

    The largest face of the first photo is compared with each face of the second one. Nothing is stored.
    """
    photos = [_encoded_image(call, image) for image in (pair.image, pair.other_image)]
    found = invoke_predict({"model": FACES_MODEL, "describe": [{"data": photo} for photo in photos]})
    if found["source"] is None:
        raise UnprocessableContent("there is no face in the first photo", reason="no-face")
    first, second = found["photos"]
    compared = [
        ComparedFace(box_px=face["box_px"], similarity=similarity)
        for face, similarity in zip(second["faces"], second["similarities"], strict=True)
    ]
    return FaceComparison(
        box_px=first["faces"][found["source"]]["box_px"],
        faces=tuple(sorted(compared, key=lambda one: -one.similarity)),
    )


@operation(
    "POST",
    "/v1/faces/candidates",
    role="reviewer",
    bound_tokens="gallery",
    has_images=True,
    audited=True,
    problems=(CapacityExceeded, UnprocessableContent),
)
def list_candidates(call: Call, probe: FaceProbe) -> FaceCandidateList:
    """List the people to whom a face is most similar.

    The largest face of the photo is compared with a gallery. Candidates are listed however small their
    similarity is: for whoever decides about an unknown face.
    """
    if not call.caller.can_access_gallery(probe.gallery):
        raise Forbidden(f"the token cannot access the gallery {probe.gallery}")
    limits = {"gallery": probe.gallery, "least_percent": 0.0, "limit": probe.limit}
    image = _encoded_image(call, probe.image)
    matches = invoke_predict({"model": FACES_MODEL, "data": image, "match": limits})["matches"]
    best: dict[str, float] = {}
    for match in matches:
        if key := parse_face_id(match["face_id"]):
            best.setdefault(key.person, match["similarity"])
    names = find_names(call, best)
    return FaceCandidateList(
        items=tuple(
            FaceCandidateOut(person=person, name=names.get(person), similarity=similarity)
            for person, similarity in best.items()
        )
    )


def _encoded_image(call: Call, text: str) -> str:
    """Base64 without line breaks or a data URL. Raises InvalidRequest, EmptyFile."""
    return base64.b64encode(read_image(call, text)).decode()
