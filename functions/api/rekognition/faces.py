"""DetectFaces and CompareFaces: faces in images, without any gallery."""

from functions.api.rekognition.errors import InvalidParameter
from functions.api.rekognition.images import (
    describe_images,
    passes_filter,
    to_bounding_box,
    to_compared_face,
    to_face_detail,
)
from functions.api.rekognition.operations import Input, Output, rekognition_operation
from vigil.access.roles import Caller

DEFAULT_SIMILARITY_PERCENT = 80.0


@rekognition_operation(role="reviewer", bound_tokens="limited", audited_names=())
def detect_faces(caller: Caller, request: Input) -> Output:
    """Boxes, landmarks, pose and quality; nothing is estimated about the person, such as gender or age."""
    faces = describe_images(caller, request["Image"]).faces[0]
    return {"FaceDetails": [to_face_detail(face, request.get("Attributes", ())) for face in faces]}


@rekognition_operation(role="reviewer", bound_tokens="limited", audited_names=())
def compare_faces(caller: Caller, request: Input) -> Output:
    """The largest face of the source image, compared with each face of the target image."""
    quality_filter = request.get("QualityFilter", "NONE")
    described = describe_images(caller, request["SourceImage"], request["TargetImage"])
    if described.source is None:
        raise InvalidParameter("Request has invalid parameters: no face was found in the source image")
    source = described.faces[0][described.source]
    if not passes_filter(source, quality_filter):
        raise InvalidParameter("the largest face of the source image does not pass the quality filter")
    least = request.get("SimilarityThreshold", DEFAULT_SIMILARITY_PERCENT)
    targets = [one for one in described.faces[1] if passes_filter(one, quality_filter)]
    matches = sorted(
        (one for one in targets if one["similarity"] >= least), key=lambda one: -one["similarity"]
    )
    return {
        "SourceImageFace": {
            "BoundingBox": to_bounding_box(source),
            "Confidence": 100 * source["confidence"],
        },
        "FaceMatches": [{"Similarity": one["similarity"], "Face": to_compared_face(one)} for one in matches],
        "UnmatchedFaces": [to_compared_face(one) for one in targets if one["similarity"] < least],
    }
