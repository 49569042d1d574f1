"""`vigil people import-rekognition`: the faces of a collection are indexed from their photos."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import err, fail, new_table
from vigil_cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

CSV_COLUMNS = {"external_image_id", "key"}
PROGRESS_INTERVAL = 20
"""Photos between two lines of progress."""


@dataclass(frozen=True, slots=True)
class ImportedPhoto:
    """What became of the faces of one external image id.

    faces    how many the collection has
    indexed  how many are in the gallery now
    reasons  why others are not, or why the photo could not be used
    """

    external_image_id: str
    key: str
    faces: int
    indexed: int
    reasons: tuple[str, ...] = ()


def import_rekognition(
    session: Session,
    collection: Annotated[str, Argument(help="Id of the collection of Amazon Rekognition.")],
    bucket: Annotated[str, Option(help="Bucket with the original photos.")],
    prefix: Annotated[str, Option(help="What precedes the external image id in the key of a photo.")] = "",
    photos: Annotated[
        Path | None,
        Option(help="CSV file with external_image_id and key, for other keys.", exists=True, dir_okay=False),
    ] = None,
    gallery: Annotated[
        str, Option(help="Gallery that the faces are indexed in; created if missing.")
    ] = "default",
) -> None:
    """Index the photos of a collection of Amazon Rekognition, which cannot export its faces.

    Faces and photos are read with your AWS credentials and region. Photos whose external image id the
    gallery has already are not read again, so that a repeated run continues. The exit code is 1 if a face is
    missing.

    Example: ./vigil people import-rekognition staff --bucket hr-photos --prefix portraits/ --gallery staff
    """
    import boto3

    source, storage = boto3.client("rekognition"), boto3.client("s3")
    keys = _read_keys(photos) if photos else None
    find_key: Callable[[str], str | None] = keys.get if keys is not None else lambda name: prefix + name

    def fetch(key: str) -> bytes:
        return bytes(storage.get_object(Bucket=bucket, Key=key)["Body"].read())

    target = session.rekognition("operator")
    _create_collection(target, gallery)
    rows = []
    for row in import_collection(source, collection, target, gallery, find_key, fetch):
        rows.append(row)
        if len(rows) % PROGRESS_INTERVAL == 0:
            err.print(f"{len(rows)} photos")
    session.show([asdict(row) for row in rows], lambda: _report(rows))
    if any(row.indexed < row.faces for row in rows):
        raise click.exceptions.Exit(1)


def _report(rows: Sequence[ImportedPhoto]) -> "RenderableType":
    table = new_table(f"Imported: {len(rows)} photos", "external image id", ">faces", ">indexed", "reasons")
    for row in rows:
        table.add_row(row.external_image_id, str(row.faces), str(row.indexed), " ".join(row.reasons))
    return table


def import_collection(
    source: Any,
    collection: str,
    target: Any,
    gallery: str,
    find_key: Callable[[str], str | None],
    fetch: Callable[[str], bytes],
) -> Iterator[ImportedPhoto]:
    """Index each photo of a collection; what became of it.

    source, target  clients of Amazon Rekognition and of this deployment
    find_key        the key of a photo by its external image id
    fetch           reads a photo; raises ClientError
    """
    present = _count_faces(target, gallery)
    for name, number in _count_faces(source, collection).items():
        key = find_key(name) if name else None
        if key is None:
            yield ImportedPhoto(name, "", number, 0, ("no-key",))
        elif present[name]:
            yield ImportedPhoto(name, key, number, min(number, present[name]))
        else:
            yield _import_photo(target, gallery, ImportedPhoto(name, key, number, 0), fetch)


def _import_photo(
    target: Any, gallery: str, photo: ImportedPhoto, fetch: Callable[[str], bytes]
) -> ImportedPhoto:
    from botocore.exceptions import ClientError

    try:
        answer = target.index_faces(
            CollectionId=gallery,
            Image={"Bytes": fetch(photo.key)},
            ExternalImageId=photo.external_image_id,
            MaxFaces=photo.faces,
        )
    except ClientError as error:
        return replace(photo, reasons=(error.response["Error"]["Code"],))
    reasons = {reason for one in answer["UnindexedFaces"] for reason in one["Reasons"]}
    return replace(photo, indexed=len(answer["FaceRecords"]), reasons=tuple(sorted(reasons)))


def _count_faces(client: Any, collection: str) -> Counter[str]:
    """The number of faces of each external image id; faces without one are counted under an empty id."""
    pages = client.get_paginator("list_faces").paginate(CollectionId=collection)
    return Counter(one.get("ExternalImageId", "") for page in pages for one in page["Faces"])


def _create_collection(target: Any, gallery: str) -> None:
    try:
        target.create_collection(CollectionId=gallery)
    except target.exceptions.ResourceAlreadyExistsException:
        pass
    except target.exceptions.ClientError as error:
        fail(f"the gallery {gallery} cannot be created: {error}")


def _read_keys(file: Path) -> Mapping[str, str]:
    """Keys by external image id."""
    with file.open(newline="") as opened:
        reader = csv.DictReader(opened)
        if not set(reader.fieldnames or ()) >= CSV_COLUMNS:
            fail(f"{file} needs the columns {' and '.join(sorted(CSV_COLUMNS))}")
        return {row["external_image_id"]: row["key"] for row in reader}
