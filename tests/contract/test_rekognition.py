"""Collections of Rekognition on DynamoDB and S3, with the functions' own container and networks."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from cloud.dynamodb.people import DynamoPeople, DynamoTemplates
from cloud.dynamodb.profiles import DynamoProfiles
from functions.runtime.container import Container, container
from functions.runtime.settings import Settings
from models.build.files import ROOT
from tests.fakes.aws import mocked_client
from tests.fakes.built_models import built_releases, photo
from tests.fakes.rekognition_service import Functions, Service, install
from vigil.faces.gallery import GallerySet
from vigil.people import users

OBAMA, OBAMA_LATER, BIDEN = ({"Bytes": photo(f"{name}.jpg")} for name in ("obama", "obama2", "biden"))


@pytest.fixture
def service(people_table: Any, table: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The collection "staff" exists and is empty."""
    made = Service()
    variables = {"PEOPLE_TABLE": "people", "RECORDS_TABLE": "t", "STORE_BUCKET": "bucket"}
    variables |= {"PHOTOS_BUCKET": "bucket", "MODELS_DIR": str(built_releases()), "ENROLMENT_MODEL": "faces"}
    variables |= {"PREDICT_FUNCTION": "predict", "ENROL_FUNCTION": "enrol", "CARDS_DIR": str(ROOT / "models")}
    variables |= {"ERASE_FUNCTION": "erase", "CALLERS_TABLE": "callers", "FACES_TABLE": "faces"}
    wired = Container(Settings(variables))
    wired.__dict__ |= {
        "clients": SimpleNamespace(get=lambda service, *_: mocked_client(service)),
        "rate_limiter": SimpleNamespace(acquire=lambda *_: 0.0),
        "audit_log": made.audit_log,
        "lambda_functions": Functions(),
        "active_models": wired.bundled_models,
        "model_cards": {"faces": SimpleNamespace(release="0123456789abcdef0123456789abcdef")},
        "signing_key": b"key",
    }
    people_table.create_table(
        TableName="callers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    install(made, wired, monkeypatch)
    made.client.create_collection(CollectionId="staff")
    yield made
    wired.executor.shutdown()
    container.cache_clear()


def index(service: Service, image: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = service.client.index_faces(
        CollectionId="staff", Image=image, ExternalImageId=name, **more
    )
    return answer


def test_collections_are_galleries_that_are_created_listed_and_described(service: Service):
    client = service.client
    client.create_collection(CollectionId="visitors")

    pages = client.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 1})

    assert [name for page in pages for name in page["CollectionIds"]] == ["staff", "visitors"]
    assert client.describe_collection(CollectionId="staff")["FaceCount"] == 0
    with pytest.raises(client.exceptions.ResourceAlreadyExistsException):
        client.create_collection(CollectionId="staff")
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.create_collection(CollectionId="Not_a.gallery")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_collection(CollectionId="nobody")


def test_a_deleted_collection_has_nobody_and_can_be_created_again_with_the_same_names(
    service: Service, people_table: Any
):
    client = service.client
    index(service, OBAMA, "obama-1")
    service.role = "operator"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.delete_collection(CollectionId="staff")
    service.role = "admin"

    deleted = client.delete_collection(CollectionId="staff")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.search_faces_by_image(CollectionId="staff", Image=OBAMA_LATER)
    names = client.list_collections()["CollectionIds"]
    client.create_collection(CollectionId="staff")
    found = client.search_faces_by_image(CollectionId="staff", Image=OBAMA_LATER)["FaceMatches"]
    index(service, OBAMA_LATER, "obama-1")

    assert (deleted["StatusCode"], names, found) == (200, [], [])
    assert len(client.list_faces(CollectionId="staff")["Faces"]) == 1
    profiles = list(DynamoProfiles(people_table, "people").list_page(after="", page_size=10))
    assert sorted(one.is_being_erased for one in profiles) == [False, True]
    assert ("ann", "rekognition:DeleteCollection") in service.audit_log.entries


def test_the_erasure_of_a_person_does_not_bring_a_deleted_collection_back(
    service: Service, people_table: Any
):
    index(service, OBAMA, "obama-1")
    people = DynamoPeople(people_table, "people", store_gallery=lambda _: {})
    base = people.gallery_pointer("staff").version
    service.client.delete_collection(CollectionId="staff")

    people.replace_gallery(base=base + 1, gallery=GallerySet(base + 2, name="staff"), now=datetime.now(UTC))

    assert service.client.list_collections()["CollectionIds"] == []
    assert people.gallery_pointer("staff").version == base + 2


def test_tags_of_a_collection_are_added_listed_and_removed(service: Service):
    client = service.client
    arn = client.create_collection(CollectionId="tagged", Tags={"team": "door", "cost": "1"})["CollectionArn"]
    index_into = partial(client.index_faces, CollectionId="tagged", Image=OBAMA)

    index_into()
    client.tag_resource(ResourceArn=arn, Tags={"team": "desk"})
    client.untag_resource(ResourceArn=arn, TagKeys=["cost", "never"])

    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"team": "desk"}
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        client.tag_resource(ResourceArn=arn, Tags={str(number): "" for number in range(50)})
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.list_tags_for_resource(ResourceArn="arn:aws:s3:::collection/tagged")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_tags_for_resource(ResourceArn=arn.replace("tagged", "never"))


def face_id_of(answer: dict[str, Any]) -> str:
    (record,) = answer["FaceRecords"]
    return str(record["Face"]["FaceId"])


def test_a_user_is_the_person_of_the_faces_and_is_found_by_photo_face_and_user(
    service: Service, people_table: Any
):
    client = service.client
    first, second = (face_id_of(index(service, one, name)) for one, name in ((OBAMA, "o1"), (BIDEN, "b1")))
    for user in ("barack", "joe"):
        client.create_user(CollectionId="staff", UserId=user)
    with pytest.raises(client.exceptions.ConflictException):
        client.create_user(CollectionId="staff", UserId="joe")

    linked = client.associate_faces(CollectionId="staff", UserId="barack", FaceIds=[first])
    client.associate_faces(CollectionId="staff", UserId="joe", FaceIds=[second])
    by_image = client.search_users_by_image(CollectionId="staff", Image=OBAMA_LATER)
    by_face = client.search_users(CollectionId="staff", FaceId=first)
    by_user = client.search_users(CollectionId="staff", UserId="barack", UserMatchThreshold=0)
    pages = client.get_paginator("list_users").paginate(
        CollectionId="staff", PaginationConfig={"PageSize": 1}
    )

    assert (linked["AssociatedFaces"], linked["UserStatus"]) == ([{"FaceId": first}], "ACTIVE")
    assert [one["User"]["UserId"] for one in by_image["UserMatches"]] == ["barack"]
    assert by_image["SearchedFace"]["FaceDetail"]["Confidence"] > 80
    assert [one["User"]["UserId"] for one in by_face["UserMatches"]] == ["barack"]
    assert [one["User"]["UserId"] for one in by_user["UserMatches"]] == ["joe"]
    assert [one["UserId"] for page in pages for one in page["Users"]] == ["barack", "joe"]
    assert client.describe_collection(CollectionId="staff")["UserCount"] == 2
    faces = client.list_faces(CollectionId="staff", UserId="joe")["Faces"]
    assert [(one["FaceId"], one["UserId"]) for one in faces] == [(second, "joe")]
    (match,) = client.search_faces_by_image(CollectionId="staff", Image=OBAMA_LATER)["FaceMatches"]
    assert match["Face"]["UserId"] == "barack"
    people = DynamoProfiles(people_table, "people").list_page(after="", page_size=10)
    assert sorted((one.person.name, one.person.user) for one in people) == [("b1", "joe"), ("o1", "barack")]


def test_a_face_that_joins_another_persons_user_moves_and_keeps_its_id(service: Service, people_table: Any):
    client = service.client
    first, second = (face_id_of(index(service, one, name)) for one, name in ((OBAMA, "o1"), (BIDEN, "b1")))
    client.create_user(CollectionId="staff", UserId="both")
    associate = partial(client.associate_faces, CollectionId="staff", UserId="both")
    associate(FaceIds=[first])

    refused = associate(FaceIds=[second])["UnsuccessfulFaceAssociations"]
    joined = associate(FaceIds=[first, second], UserMatchThreshold=0)
    by_image = client.search_faces_by_image(CollectionId="staff", Image=BIDEN)["FaceMatches"]
    by_face = client.search_faces(CollectionId="staff", FaceId=second, FaceMatchThreshold=0)["FaceMatches"]
    profiles = DynamoProfiles(people_table, "people")
    user = profiles.users.find("staff", "both")

    assert [one["Reasons"] for one in refused] == [["LOW_MATCH_CONFIDENCE"]]
    assert 0 <= refused[0]["Confidence"] < 75
    assert joined["AssociatedFaces"] == [{"FaceId": second}]
    assert [(one["Face"]["FaceId"], one["Face"]["UserId"]) for one in by_image] == [(second, "both")]
    assert [one["Face"]["FaceId"] for one in by_face] == [first]
    assert user is not None
    templates = DynamoTemplates(people_table, "people")
    assert {one.face_id for one in templates.face_records(str(user.person))} == {first, second}
    client.delete_faces(CollectionId="staff", FaceIds=[first, second])
    assert client.list_users(CollectionId="staff")["Users"] == [{"UserId": "both", "UserStatus": "CREATED"}]
    assert profiles_with_users(profiles) == []


def profiles_with_users(profiles: DynamoProfiles) -> list[str]:
    return [one.person.id for one in profiles.list_page(after="", page_size=10) if one.person.user]


def test_faces_of_one_person_can_be_of_two_users(service: Service):
    client = service.client
    first, second = (face_id_of(index(service, one, "o")) for one in (OBAMA, OBAMA_LATER))
    for user, face in (("one", first), ("two", second)):
        client.create_user(CollectionId="staff", UserId=user)
        client.associate_faces(CollectionId="staff", UserId=user, FaceIds=[face])

    other = client.associate_faces(CollectionId="staff", UserId="one", FaceIds=[second])
    found = client.search_users_by_image(CollectionId="staff", Image=OBAMA)["UserMatches"]

    assert other["UnsuccessfulFaceAssociations"] == [
        {"FaceId": second, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"], "UserId": "two"}
    ]
    assert [one["User"]["UserId"] for one in found] == ["one", "two"]


def test_faces_leave_a_user_who_is_deleted_without_them(service: Service, people_table: Any):
    client, never = service.client, "00000000-0000-0000-0000-000000000000"
    face = face_id_of(index(service, OBAMA, "o1"))
    client.create_user(CollectionId="staff", UserId="barack")
    client.associate_faces(CollectionId="staff", UserId="barack", FaceIds=[face])

    left = client.disassociate_faces(CollectionId="staff", UserId="barack", FaceIds=[face, never])
    repeated = client.disassociate_faces(CollectionId="staff", UserId="barack", FaceIds=[face])
    client.associate_faces(CollectionId="staff", UserId="barack", FaceIds=[face])
    client.delete_user(CollectionId="staff", UserId="barack")

    assert left["DisassociatedFaces"] == [{"FaceId": face}]
    assert left["UnsuccessfulFaceDisassociations"] == [{"FaceId": never, "Reasons": ["FACE_NOT_FOUND"]}]
    assert (left["UserStatus"], repeated["DisassociatedFaces"]) == ("CREATED", [])
    assert client.list_users(CollectionId="staff")["Users"] == []
    assert len(client.list_faces(CollectionId="staff")["Faces"]) == 1
    assert profiles_with_users(DynamoProfiles(people_table, "people")) == []
    for change in (client.delete_user, partial(client.search_users)):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            change(CollectionId="staff", UserId="barack")


def test_an_erasure_deletes_the_user_and_the_ids_of_faces_that_moved(service: Service, people_table: Any):
    client = service.client
    first, second = (face_id_of(index(service, one, name)) for one, name in ((OBAMA, "o1"), (BIDEN, "b1")))
    client.create_user(CollectionId="staff", UserId="both")
    client.associate_faces(CollectionId="staff", UserId="both", FaceIds=[first, second], UserMatchThreshold=0)
    profiles = DynamoProfiles(people_table, "people")
    (person,) = profiles_with_users(profiles)
    view = profiles.find(person)
    assert view is not None

    people = DynamoPeople(people_table, "people", store_gallery=lambda _: {})

    assert people.delete_templates(view.person) == 2
    assert profiles.users.find("staff", "both") is None
    kinds = {row["pk"]["S"].split("#")[0] for row in people_table.scan(TableName="people")["Items"]}
    assert not kinds & {"users", "moved_face"}


def test_a_request_with_the_same_token_is_executed_once(service: Service):
    client = service.client
    create = partial(client.create_user, CollectionId="staff", ClientRequestToken="a-token")
    face = face_id_of(index(service, OBAMA, "o1"))
    associate = partial(client.associate_faces, CollectionId="staff", FaceIds=[face], UserId="ann")

    create(UserId="ann")
    create(UserId="ann")
    answers = [associate(ClientRequestToken="another")["AssociatedFaces"] for _ in range(2)]

    assert answers == [[{"FaceId": face}]] * 2
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        create(UserId="bob")


def test_a_user_has_at_most_a_hundred_faces(service: Service, monkeypatch: pytest.MonkeyPatch):
    client = service.client
    first, second, third = (face_id_of(index(service, OBAMA, "o")) for _ in range(3))
    client.create_user(CollectionId="staff", UserId="ann")
    monkeypatch.setattr(users, "MAX_FACES", 2)
    associate = partial(client.associate_faces, CollectionId="staff", UserId="ann")

    answer = associate(FaceIds=[first, second, third])

    assert len(answer["AssociatedFaces"]) == 2
    assert answer["UnsuccessfulFaceAssociations"] == [{"FaceId": third, "Reasons": []}]
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        associate(FaceIds=[third])


def test_without_an_accepted_face_no_user_is_searched_for(service: Service):
    image = side_by_side("obama.jpg", "biden.jpg")

    nobody = service.client.search_users_by_image(CollectionId="staff", Image=picture_without_a_face())
    both = service.client.search_users_by_image(CollectionId="staff", Image=image)
    assert (nobody["UserMatches"], nobody["UnsearchedFaces"], "SearchedFace" in nobody) == ([], [], False)
    assert [one["Reasons"] for one in both["UnsearchedFaces"]] == [["FACE_NOT_LARGEST"]]


def picture_without_a_face() -> dict[str, bytes]:
    out = io.BytesIO()
    Image.new("RGB", (200, 200)).save(out, "PNG")
    return {"Bytes": out.getvalue()}


def test_an_indexed_face_is_found_by_another_photo_and_by_its_id(service: Service):
    client = service.client
    (record,) = index(service, OBAMA, "obama-1")["FaceRecords"]
    index(service, BIDEN, "biden-1")

    by_image = client.search_faces_by_image(CollectionId="staff", Image=OBAMA_LATER)
    (second,) = index(service, OBAMA_LATER, "obama-2")["FaceRecords"]
    by_face = client.search_faces(CollectionId="staff", FaceId=second["Face"]["FaceId"])

    assert [one["Face"]["ExternalImageId"] for one in by_image["FaceMatches"]] == ["obama-1"]
    assert by_image["FaceMatches"][0]["Similarity"] > 99
    assert by_image["SearchedFaceConfidence"] > 80
    assert [one["Face"]["FaceId"] for one in by_face["FaceMatches"]] == [record["Face"]["FaceId"]]


def test_the_face_that_is_searched_for_does_not_count_among_the_results(service: Service):
    (searched,) = index(service, OBAMA, "obama-1")["FaceRecords"]
    index(service, BIDEN, "biden-1")

    found = service.client.search_faces(
        CollectionId="staff", FaceId=searched["Face"]["FaceId"], FaceMatchThreshold=0, MaxFaces=1
    )

    assert [one["Face"]["ExternalImageId"] for one in found["FaceMatches"]] == ["biden-1"]


def test_two_photos_of_one_person_are_one_person_of_the_gallery(service: Service, people_table: Any):
    index(service, OBAMA, "obama-1")
    index(service, OBAMA_LATER, "obama-2")
    index(service, BIDEN, "biden-1")

    people = list(DynamoProfiles(people_table, "people").list_page(after="", page_size=10))
    assert sorted((one.person.name, one.person.gallery) for one in people) == [
        ("biden-1", "staff"),
        ("obama-1", "staff"),
    ]


def test_faces_are_listed_in_pages_and_deleted(service: Service):
    client = service.client
    for image, name in ((OBAMA, "a"), (OBAMA_LATER, "b"), (BIDEN, "c")):
        index(service, image, name)
    pages = client.get_paginator("list_faces").paginate(
        CollectionId="staff", PaginationConfig={"PageSize": 1}
    )
    faces = [one for page in pages for one in page["Faces"]]
    ids = {one["ExternalImageId"]: one["FaceId"] for one in faces}

    never = "00000000-0000-0000-0000-000000000000"
    deleted = client.delete_faces(CollectionId="staff", FaceIds=[ids["a"], ids["c"], never])
    found = client.search_faces_by_image(CollectionId="staff", Image=OBAMA)

    assert sorted(ids) == ["a", "b", "c"]
    assert sorted(deleted["DeletedFaces"]) == sorted([ids["a"], ids["c"]])
    assert deleted["UnsuccessfulFaceDeletions"] == [{"FaceId": never, "Reasons": ["FACE_NOT_FOUND"]}]
    assert [one["Face"]["FaceId"] for one in found["FaceMatches"]] == [ids["b"]]
    assert client.search_faces_by_image(CollectionId="staff", Image=BIDEN)["FaceMatches"] == []
    assert client.describe_collection(CollectionId="staff")["FaceCount"] == 1


def side_by_side(*names: str) -> dict[str, bytes]:
    """An image with these photos; every photo after the first is smaller."""
    picture = Image.new("RGB", (400 * len(names), 400))
    for index, name in enumerate(names):
        part = Image.open(io.BytesIO(photo(name)))
        picture.paste(part.resize((300, 300) if index else (400, 400)), (400 * index, 0))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return {"Bytes": out.getvalue()}


def test_the_largest_faces_are_indexed_and_the_others_have_the_reason(service: Service):
    answer = index(service, side_by_side("obama.jpg", "biden.jpg"), "both", MaxFaces=1)

    assert len(answer["FaceRecords"]) == 1
    assert [one["Reasons"] for one in answer["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]]


def test_a_foreign_face_or_token_is_refused(service: Service):
    client = service.client
    index(service, OBAMA, "a")
    listed = client.list_faces(CollectionId="staff", MaxResults=1)

    with pytest.raises(client.exceptions.InvalidParameterException):
        client.search_faces(CollectionId="staff", FaceId="00000000-0000-0000-0000-000000000000")
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.list_faces(CollectionId="staff", NextToken="made-up")
    assert "NextToken" not in listed


def test_a_token_of_other_galleries_finds_no_collection(service: Service):
    service.galleries = ("visitors",)
    find = partial(service.client.search_faces_by_image, CollectionId="staff", Image=OBAMA)

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        find()
    service.galleries, service.sources = None, ("door-*",)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        find()
