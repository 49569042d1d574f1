"""Collections, which are galleries, and their tags."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from cloud.dynamodb.collections import CollectionView
from functions.api.rekognition.errors import InvalidParameter, RekognitionError
from functions.api.rekognition.images import FACES_MODEL, invoke_function
from functions.api.rekognition.operations import Input, Output, rekognition_operation
from functions.api.rekognition.tokens import next_page, read_token
from functions.api.scheduled import SCHEDULED_EVENT
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.inference.types import is_gallery_name
from vigil.people.face_records import FaceRecord, parse_face_id

MAX_PAGE = 1000
"""Faces or names of one page; the paginators of boto3 follow the token."""

PEOPLE_READ_AT_ONCE = 32
MAX_TAGS = 50
"""https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html"""

COLLECTION_ARN = re.compile(r"arn:aws[a-z-]*:rekognition:[a-z0-9-]*:[0-9]*:collection/([a-zA-Z0-9_.\-]+)")


@rekognition_operation(role="operator")
def create_collection(caller: Caller, request: Input) -> Output:
    name, tags = request["CollectionId"], request.get("Tags", {})
    if not is_gallery_name(name):
        raise InvalidParameter(
            "CollectionId must be the name of a gallery: up to 31 lower-case letters, digits and hyphens"
        )
    if not caller.can_access_gallery(name):
        raise RekognitionError("AccessDeniedException", f"the token cannot access the collection {name}")
    _check_number(tags)
    if not container().profiles.collections.create(name, tags, datetime.now(UTC)):
        raise RekognitionError("ResourceAlreadyExistsException", f"the collection {name} exists")
    return {"StatusCode": 200, "CollectionArn": _arn(name), "FaceModelVersion": model_version()}


@rekognition_operation(role="reviewer")
def describe_collection(caller: Caller, request: Input) -> Output:
    """The faces and users are counted by reading them."""
    view = _find_view(caller, request["CollectionId"])
    return {
        "FaceCount": sum(1 for _ in faces_of(view.name)),
        "UserCount": sum(1 for _ in container().profiles.users.list_after(view.name, "")),
        "FaceModelVersion": model_version(),
        "CollectionARN": _arn(view.name),
        "CreationTimestamp": view.changed_at.timestamp(),
    }


@rekognition_operation(role="reviewer", audited_names=())
def list_collections(caller: Caller, request: Input) -> Output:
    after = read_token(caller, "collections", request)
    names = [
        one for one in container().profiles.collections.names_after(after) if caller.can_access_gallery(one)
    ]
    page = names[: request.get("MaxResults") or MAX_PAGE]
    output: Output = {"CollectionIds": page, "FaceModelVersions": [model_version()] * len(page)}
    return output | next_page(caller, "collections", request, page[-1] if len(page) < len(names) else "")


@rekognition_operation(role="admin")
def delete_collection(caller: Caller, request: Input) -> Output:
    """Nobody of the collection is recognised any more; each person is erased in the background."""
    name = find_collection(caller, request)
    payload = {**SCHEDULED_EVENT, "detail": {"gallery": name}}
    if not invoke_function(container().settings.erase_function, payload)["deleted"]:
        raise RekognitionError("ThrottlingException", "The deletion is not complete; repeat it to continue.")
    return {"StatusCode": 200}


@rekognition_operation(role="operator", audited_names=("ResourceArn",))
def tag_resource(caller: Caller, request: Input) -> Output:
    view = _find_resource(caller, request)
    tags = {**view.tags, **request["Tags"]}
    _check_number(tags)
    container().profiles.collections.change_tags(view, tags)
    return {}


@rekognition_operation(role="operator", audited_names=("ResourceArn",))
def untag_resource(caller: Caller, request: Input) -> Output:
    view = _find_resource(caller, request)
    tags = {key: one for key, one in view.tags.items() if key not in request["TagKeys"]}
    container().profiles.collections.change_tags(view, tags)
    return {}


@rekognition_operation(role="reviewer", audited_names=("ResourceArn",))
def list_tags_for_resource(caller: Caller, request: Input) -> Output:
    return {"Tags": dict(_find_resource(caller, request).tags)}


def find_collection(caller: Caller, request: Input) -> str:
    """The name of the request's collection. Raises RekognitionError if the caller has no such collection."""
    return _find_view(caller, request["CollectionId"]).name


def _find_resource(caller: Caller, request: Input) -> CollectionView:
    match = COLLECTION_ARN.fullmatch(request["ResourceArn"])
    if match is None:
        raise InvalidParameter("ResourceArn must be the ARN of a collection")
    return _find_view(caller, match[1])


def _find_view(caller: Caller, name: str) -> CollectionView:
    has_access = is_gallery_name(name) and caller.can_access_gallery(name)
    view = container().profiles.collections.find(name) if has_access else None
    if view is None:
        raise RekognitionError("ResourceNotFoundException", f"the collection id {name} does not exist")
    return view


def _check_number(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise RekognitionError("ServiceQuotaExceededException", f"a collection has at most {MAX_TAGS} tags")


def faces_of(name: str, after_face: str = "") -> Iterator[FaceRecord]:
    """The faces of a collection in the order of their ids, beginning after one."""
    after = parse_face_id(after_face) if after_face else None
    c = container()
    if after is not None:
        yield from (one for one in c.templates.face_records(after.person) if one.key.face_id > after_face)
    views = c.profiles.list_page(after=after.person if after else "", page_size=MAX_PAGE)
    people = (view.person.id for view in views if view.person.gallery == name and not view.is_being_erased)
    while batch := list(islice(people, PEOPLE_READ_AT_ONCE)):
        for records in c.executor.map(lambda person: list(c.templates.face_records(person)), batch):
            yield from records


def _arn(name: str) -> str:
    return f"arn:aws:rekognition:::collection/{name}"


def model_version() -> str:
    return str(container().model_cards[FACES_MODEL].release)
