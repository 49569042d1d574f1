"""Programs in the manner of the examples in AWS's documentation run to their end with this client.

They print what those print, from the same members: docs.aws.amazon.com/rekognition/latest/dg, "Working with
collections", "Searching faces in a collection", "Comparing faces", "Detecting faces", "Managing users".
"""

from typing import Any

import pytest

from tests.contract.test_rekognition import BIDEN, OBAMA, OBAMA_LATER, service
from tests.fakes.rekognition_service import Service

__all__ = ["service"]


def manage_collections(client: Any) -> list[str]:
    """Create a collection, describe and list all, delete it."""
    lines = []
    created = client.create_collection(CollectionId="door")
    lines.append(f"Collection ARN: {created['CollectionArn']} status {created['StatusCode']}")
    described = client.describe_collection(CollectionId="door")
    lines.append(f"Faces: {described['FaceCount']} users: {described['UserCount']}")
    lines.append(f"Model {described['FaceModelVersion']} since {described['CreationTimestamp']:%Y}")
    answer = client.list_collections(MaxResults=1)
    while True:
        lines += answer["CollectionIds"]
        if "NextToken" not in answer:
            break
        answer = client.list_collections(NextToken=answer["NextToken"], MaxResults=1)
    lines.append(str(client.delete_collection(CollectionId="door")["StatusCode"]))
    return lines


def add_and_search_faces(client: Any) -> list[str]:
    """Index a photo, list what was indexed, search by another photo and by id, delete the faces."""
    lines = []
    added = client.index_faces(
        CollectionId="staff",
        Image=OBAMA,
        ExternalImageId="obama.jpg",
        MaxFaces=1,
        QualityFilter="AUTO",
        DetectionAttributes=["ALL"],
    )
    for record in added["FaceRecords"]:
        lines.append(f"Face ID: {record['Face']['FaceId']} at {record['Face']['BoundingBox']['Left']:.2f}")
    for unindexed in added["UnindexedFaces"]:
        lines.append(f"Not indexed: {', '.join(unindexed['Reasons'])}")
    faces = client.list_faces(CollectionId="staff", MaxResults=2)["Faces"]
    found = client.search_faces_by_image(
        CollectionId="staff", Image=OBAMA_LATER, FaceMatchThreshold=70, MaxFaces=2
    )
    for match in found["FaceMatches"]:
        lines.append(f"{match['Face']['ExternalImageId']}: {match['Similarity']:.2f}%")
    same = client.search_faces(
        CollectionId="staff", FaceId=faces[0]["FaceId"], FaceMatchThreshold=70, MaxFaces=2
    )
    lines.append(f"others: {len(same['FaceMatches'])}")
    deleted = client.delete_faces(CollectionId="staff", FaceIds=[one["FaceId"] for one in faces])
    lines.append(f"{len(deleted['DeletedFaces'])} faces deleted")
    return lines


def compare_and_detect_faces(client: Any) -> list[str]:
    """Compare two photos, and describe the faces of one."""
    lines = []
    compared = client.compare_faces(SimilarityThreshold=80, SourceImage=OBAMA, TargetImage=OBAMA_LATER)
    for match in compared["FaceMatches"]:
        position = match["Face"]["BoundingBox"]
        lines.append(
            f"at {position['Left']:.2f} {position['Top']:.2f} matches with {match['Similarity']:.0f}%"
        )
    lines.append(f"unmatched: {len(compared['UnmatchedFaces'])}")
    for face in client.detect_faces(Image=BIDEN, Attributes=["ALL"])["FaceDetails"]:
        lines.append(f"confidence {face['Confidence'] > 80} landmarks {len(face['Landmarks'])}")
        lines.append(f"brightness {face['Quality']['Brightness'] > 0} roll {abs(face['Pose']['Roll']) < 45}")
    return lines


def manage_users(client: Any) -> list[str]:
    """Create a user, associate faces, list, search, disassociate and delete."""
    lines = []
    records = [
        one
        for image in (OBAMA, OBAMA_LATER)
        for one in client.index_faces(CollectionId="staff", Image=image)["FaceRecords"]
    ]
    face_ids = [one["Face"]["FaceId"] for one in records]
    client.create_user(CollectionId="staff", UserId="demoUser")
    associated = client.associate_faces(
        CollectionId="staff", UserId="demoUser", FaceIds=face_ids, UserMatchThreshold=70
    )
    lines.append(f"associated: {len(associated['AssociatedFaces'])} {associated['UserStatus']}")
    for user in client.list_users(CollectionId="staff", MaxResults=10)["Users"]:
        lines.append(f"{user['UserId']} {user['UserStatus']}")
    found = client.search_users_by_image(CollectionId="staff", Image=OBAMA)
    lines += [f"{one['User']['UserId']} {one['Similarity'] > 99}" for one in found["UserMatches"]]
    left = client.disassociate_faces(CollectionId="staff", UserId="demoUser", FaceIds=face_ids[:1])
    lines.append(f"disassociated: {len(left['DisassociatedFaces'])} {left['UserStatus']}")
    client.delete_user(CollectionId="staff", UserId="demoUser")
    return lines


def test_a_program_that_manages_collections_runs_to_its_end(service: Service):
    lines = manage_collections(service.client)

    assert lines[1] == "Faces: 0 users: 0"
    assert lines[3:] == ["door", "staff", "200"]


def test_a_program_that_adds_and_searches_faces_runs_to_its_end(service: Service):
    lines = add_and_search_faces(service.client)

    assert lines[0].startswith("Face ID: ")
    assert [line.split(":")[0] for line in lines[1:]] == ["obama.jpg", "others", "1 faces deleted"]


def test_a_program_that_compares_and_detects_faces_runs_to_its_end(service: Service):
    lines = compare_and_detect_faces(service.client)

    assert lines[1:] == ["unmatched: 0", "confidence True landmarks 30", "brightness True roll True"]


@pytest.mark.parametrize("times", [2])
def test_a_program_that_manages_users_runs_to_its_end_and_can_be_repeated(service: Service, times: int):
    for _ in range(times):
        lines = manage_users(service.client)

        assert lines == [
            "associated: 2 ACTIVE",
            "demoUser ACTIVE",
            "demoUser True",
            "disassociated: 1 ACTIVE",
        ]
