"""`vigil enrol` and `vigil people`: enrolled people, their photos, tags and erasure."""

import base64
import json
import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from vigil.people.person import name_identity
from vigil_cli.command_line import Argument, Option
from vigil_cli.commands.drops import find_photos, list_photos, refusal_of
from vigil_cli.console import err, fail, format_time, new_table, out, print_json, styled
from vigil_cli.lookup import find_person
from vigil_cli.output_files import require_new_file
from vigil_cli.session import Session
from vigil_client import Conflict, Forbidden, Problem, Vigil

if TYPE_CHECKING:
    from vigil_cli.deployment import Deployment

GalleryOption = Annotated[str, Option(help="Gallery that the person is in.")]
PersonArgument = Annotated[
    str, Argument(metavar="PERSON", help="Name or id of the person; the beginning of an id is enough.")
]

PROGRESS_INTERVAL_S = 2.0
"""Between two questions how far an erasure is."""


def enrol(
    session: Session,
    name: Annotated[str, Argument(help="Name of the person; it is stored in the people table only.")],
    photos: Annotated[
        list[Path], Argument(help="Photos that show this face alone, or folders.", exists=True)
    ],
    watch: Annotated[bool, Option(help="Alert whenever this person is recognised.")] = False,
    gallery: GalleryOption = "default",
) -> None:
    """Enrol a person from photos or folders of photos, or add photos to an enrolled person.

    Each photo is accepted, or refused with the reason. The exit code is 1 if none is accepted. A person is in
    one gallery; the rules say which galleries the faces of a source are compared with.

    Example: ./vigil enrol "Ada Lovelace" ada-1.jpg ada-2.jpg --watch
    """
    with session.api("operator") as api:
        found = find_photos(api, photos)
        person, is_new = find_or_create_person(api, name, gallery)
        rows = _enrol_photos(api, person, found)
        if watch and _accepted(rows):
            api.watch_person(person)
    if is_new and not _accepted(rows):
        _erase_without_photos(session, person)
    if _accepted(rows) or session.as_json:
        counts = f"{_accepted(rows)} of {len(rows)} photos"
        session.show(rows, lambda: styled("[green]enrolled[/] {} as {}: {}", name, person, counts))
    if not _accepted(rows):
        raise click.exceptions.Exit(1)


def import_people(
    session: Session,
    folder: Annotated[
        Path, Argument(help="A folder with one folder for each name.", exists=True, file_okay=False)
    ],
    gallery: GalleryOption = "default",
) -> None:
    """Enrol everybody in a folder of name/photo, such as people/Ada Lovelace/1.jpg.

    The exit code is 1 if somebody has no accepted photo.

    Example: ./vigil people import people/
    """
    names = sorted(one for one in folder.iterdir() if one.is_dir())
    rows: list[dict[str, Any]] = []
    is_complete = bool(names)
    table = new_table("Enrolled", "name", "person", ">accepted", ">refused")
    for home in names:
        with session.api("operator") as api:
            photos = list_photos(api, [home])
            if not photos:
                err.print(styled("[yellow]refused[/] {}: the folder has no photo", home), soft_wrap=True)
                is_complete = False
                continue
            person, is_new = find_or_create_person(api, home.name, gallery)
            found = _enrol_photos(api, person, photos)
        if is_new and not _accepted(found):
            _erase_without_photos(session, person)
        accepted = _accepted(found)
        table.add_row(home.name, person if accepted else "", str(accepted), str(len(found) - accepted))
        rows += found
    session.show(rows, lambda: table if names else f"{folder} has no folder: it needs one for each name")
    is_complete &= {one["person"] for one in rows} == {one["person"] for one in rows if one["accepted"]}
    if not is_complete:
        raise click.exceptions.Exit(1)


def _enrol_photos(api: Vigil, person: str, photos: Sequence[Path]) -> list[dict[str, Any]]:
    """A row for each photo; the refused ones are printed with their reasons."""
    rows = [{"person": person, "photo": str(one), **enrol_photo(api, person, one)} for one in photos]
    for row in rows:
        if not row["accepted"]:
            text = "[yellow]refused[/] {}: {} ({})"
            whose = f": {row.get('name', '')} {row['other_person']}" if "other_person" in row else ""
            err.print(styled(text, row["photo"], row["message"] + whose, row["reason"]), soft_wrap=True)
    return rows


def _accepted(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(row["accepted"] for row in rows)


def find_or_create_person(api: Vigil, name: str, gallery: str = "default") -> tuple[str, bool]:
    """The id of the person with a name in a gallery, and whether the person is new."""
    try:
        return api.create_person(name, gallery=gallery), True
    except Conflict:
        people, identity = api.list_people(gallery=gallery), name_identity(name)
        return next(person["id"] for person in people if name_identity(person["name"]) == identity), False


def _erase_without_photos(session: Session, person: str) -> None:
    """Erase a new person of whom every photo was refused; only an admin may."""
    with session.api("admin") as api:
        try:
            api.erase_person(person)
        except Forbidden:
            err.print(
                f"{person} has no photo: enrol one, or let an admin run `./vigil people erase {person}`"
            )


def enrol_photo(api: Vigil, person: str, photo: Path) -> dict[str, Any]:
    """Whether the photo is accepted; if not, the reason and a message."""
    try:
        api.enrol_photo(person, photo)
    except (Problem, OSError) as error:
        extensions = error.body if isinstance(error, Problem) else {}
        whose = {"other_person": extensions["person"]} if "person" in extensions else {}
        whose |= {"name": extensions["name"]} if "name" in extensions else {}
        return {"accepted": False, **refusal_of(error), **whose}
    return {"accepted": True}


def list_people(
    session: Session,
    tag: Annotated[str | None, Option(help="Only people with this tag, such as watch.")] = None,
    name: Annotated[str | None, Option(help="Only people whose name contains this text.")] = None,
    gallery: Annotated[str | None, Option(help="Only people in this gallery.")] = None,
) -> None:
    """List the people who are enrolled.

    Example: ./vigil people list --name ada
    """
    with session.api("reviewer") as api:
        rows = list(api.list_people(tag=tag, gallery=gallery, name=name))
    table = new_table(f"People: {len(rows)}", "person", "name", "gallery", "tags", "changed")
    for row in rows:
        tags = " ".join(row["tags"])
        table.add_row(row["id"], row["name"], row["gallery"], tags, format_time(row["changed_at"]))
    session.show(rows, lambda: table if rows else "no such people: use `./vigil enrol NAME PHOTO`")


def show(session: Session, person: PersonArgument) -> None:
    """Show a person's name, tags and consent.

    Example: ./vigil people show "Ada Lovelace"
    """
    with session.api("reviewer") as api:
        row = api.get_person(find_person(api, person))
    table = new_table(row["name"], "", "")
    table.add_row("person", row["id"])
    table.add_row("gallery", row["gallery"])
    table.add_row("tags", " ".join(row["tags"]))
    table.add_row("on the watch list", "yes" if row["watched"] else "no")
    table.add_row("photos", str(row["photos"]))
    table.add_row("consents to training", "yes" if row["training_consent"] else "no")
    table.add_row("changed", format_time(row["changed_at"]))
    session.show([row], lambda: table)


def photos(session: Session, person: PersonArgument) -> None:
    """List the enrolled photos of a person, newest first; the photos themselves are not stored.

    Example: ./vigil people photos "Ada Lovelace"
    """
    with session.api("reviewer") as api:
        rows = api.list_person_photos(find_person(api, person))["items"]
    table = new_table(f"Photos: {len(rows)}", "photo", "enrolled", ">quality", "named by its client")
    for row in rows:
        enrolled_at, quality = format_time(row["enrolled_at"]), f"{row['quality']:.2f}"
        table.add_row(row["id"], enrolled_at, quality, row.get("external_id") or "")
    session.show(rows, lambda: table if rows else "no photo: use `./vigil enrol NAME PHOTO`")


def delete_photo(
    session: Session,
    person: PersonArgument,
    photo: Annotated[str, Argument(help="Id of the photo, or its beginning; `people photos` lists them.")],
) -> None:
    """Delete one enrolled photo of a person: faces are no longer compared with it.

    Example: ./vigil people delete-photo "Ada Lovelace" 4c1f09ab-72de-0000-0011
    """
    with session.api("operator") as api:
        person = find_person(api, person)
        rows = api.list_person_photos(person)["items"]
        found = [row for row in rows if row["id"].startswith(photo)]
        if len(found) != 1:
            fail(f"{len(found)} of the photos that `people photos` lists have an id that begins with {photo}")
        api.delete_person_photo(person, found[0]["id"])
    session.show(found, lambda: f"deleted; {person} has {len(rows) - 1} other photos")


def rename(
    session: Session, person: PersonArgument, name: Annotated[str, Argument(help="The new name.")]
) -> None:
    """Give a person another name.

    Example: ./vigil people rename p-0123456789ab "Ada King"
    """
    with session.api("operator") as api:
        person = find_person(api, person)
        api.rename_person(person, name)
        row = api.get_person(person)
    session.show([row], lambda: f"{row['id']} is named {row['name']}")


def tags(
    session: Session,
    person: PersonArgument,
    watch: Annotated[bool | None, Option(help="Put on the watch list, or take off.")] = None,
    consent: Annotated[bool | None, Option(help="Record consent to training, or withdraw it.")] = None,
    reviewed: Annotated[bool, Option(help="Remove the tag review: the photos show one person.")] = False,
) -> None:
    """Show a person's tags, or change the watch list and the consent to training on their pictures.

    After consent is withdrawn, stored data sets lose the person's pictures within the hour.

    Example: ./vigil people tags "Ada Lovelace" --consent
    """
    with session.api("operator") as api:
        person = find_person(api, person)
        if watch is not None:
            (api.watch_person if watch else api.unwatch_person)(person)
        if consent is not None:
            (api.give_consent if consent else api.withdraw_consent)(person)
        if reviewed:
            api.end_person_review(person)
        row = api.get_person(person)
    session.show([row], lambda: f"{row['id']} {row['name']}: {' '.join(row['tags']) or 'no tags'}")


def watch(session: Session, person: PersonArgument) -> None:
    """Put a person on the watch list: each sighting raises an alert.

    Example: ./vigil people watch "Ada Lovelace"
    """
    tags(session, person, watch=True)


def unwatch(session: Session, person: PersonArgument) -> None:
    """Take a person off the watch list.

    Example: ./vigil people unwatch "Ada Lovelace"
    """
    tags(session, person, watch=False)


def search(
    session: Session,
    photo: Annotated[Path, Argument(help="A photo with one face.", exists=True, dir_okay=False)],
) -> None:
    """Search the unknown faces of the last seven days for the face in a photo, best match first.

    Example: ./vigil people search unknown.jpg
    """
    with session.api("reviewer") as api:
        rows = api.search_sightings(photo)
    table = new_table("Similar unknown faces", "time", "source", ">score", "sighting")
    for row in rows:
        table.add_row(format_time(row["at"]), row["source"], f"{row['score']:.2f}", row["sighting"])
    session.show(rows, lambda: table if rows else "no similar face in the last seven days")


PhotoArgument = Annotated[Path, Argument(help="A photo with a face.", exists=True, dir_okay=False)]


def compare(session: Session, photo: PhotoArgument, other: PhotoArgument) -> None:
    """Compare the largest face in a photo with each face in another, most similar first.

    Example: ./vigil people compare badge.jpg door.jpg
    """
    with session.api("reviewer") as api:
        rows = api.compare_faces(photo, other)["faces"]
    table = new_table(f"Faces in {other}", ">similarity", "box")
    for row in rows:
        table.add_row(f"{row['similarity']:.1f} %", " ".join(f"{edge:.0f}" for edge in row["box_px"]))
    session.show(rows, lambda: table if rows else f"there is no face in {other}")


def candidates(
    session: Session,
    photo: PhotoArgument,
    gallery: GalleryOption = "default",
    limit: Annotated[int, Option(help="People at most.", min=1, max=50)] = 5,
) -> None:
    """List the people to whom the face in a photo is most similar, also if it is not recognised.

    Example: ./vigil people candidates unknown.jpg
    """
    with session.api("reviewer") as api:
        rows = api.list_candidates(photo, gallery=gallery, limit=limit)
    table = new_table("Candidates", "person", "name", ">similarity")
    for row in rows:
        table.add_row(row["person"], row.get("name") or "", f"{row['similarity']:.1f} %")
    session.show(rows, lambda: table if rows else f"nobody is enrolled in {gallery}")


def erase(
    session: Session,
    person: PersonArgument,
    receipt: Annotated[Path, Option(help="File for the signed receipt.")] = Path("receipt.json"),
) -> None:
    """Erase a person for good and save the signed receipt; `people verify-erasure` checks it.

    A long erasure continues in the background, also without this command; run it again for the receipt.

    Example: ./vigil people erase p-0123456789ab --receipt receipt.json
    """
    require_new_file(receipt, "--receipt")
    with session.api("admin") as api:
        person = find_person(api, person)
        erasure = api.erase_person(person)
        while erasure["state"] == "running":
            err.print(f"erasing {erasure['step']}: {_counts_text(erasure['erased'])} so far")
            time.sleep(PROGRESS_INTERVAL_S)
            erasure = api.get_erasure(person)
    receipt.write_text(json.dumps(erasure, indent=2) + "\n")
    text = "[green]erased[/] {}; receipt: {}"
    session.show([erasure], lambda: styled(text, _counts_text(erasure["erased"]), receipt))
    for name in erasure["receipt"]["unreadable_datasets"]:
        text = "[red]the data set {} could not be read[/]: mend its manifest and search it by hand"
        err.print(styled(text, name))


def _counts_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing was stored"


def verify_erasure(
    session: Session,
    receipt: Annotated[
        Path, Argument(help="The receipt that `people erase` saved.", exists=True, dir_okay=False)
    ],
    name: Annotated[str, Option(help="The person's name, to search for it too.")] = "",
    photo: Annotated[
        Path | None,
        Option(help="A photo of the person, to search unknown faces too.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Verify the signature of a receipt and search everything stored for remains of the person.

    It reads object versions, rows, queues and logs directly with AWS credentials, so that it does not depend
    on the API that it checks. The exit code is 1 if something is found.

    Example: ./vigil people verify-erasure receipt.json --name "Ada Lovelace"
    """
    from vigil_cli.erasure_scan import ErasureScan

    cloud, document = session.deployment(), json.loads(receipt.read_text())
    _verify_signature(cloud, document)
    needles = [
        document["receipt"]["person"],
        *{unicodedata.normalize(form, name) for form in ("NFC", "NFD") if name},
    ]
    logs = None if session.stage else session.data
    scan = ErasureScan(cloud, needles, logs, signature=document["mac"])
    hits = {place: list(search()) for place, search in scan.scans.items()}
    scanned = dict(scan.scanned)
    if photo is not None:
        scanned["faces"], hits["faces"] = _scan_faces(cloud, photo)
    if session.as_json:
        print_json({"place": one, "scanned": scanned.get(one, 0), "found": hits[one]} for one in hits)
    else:
        _print_hits(scanned, hits)
    if any(hits.values()):
        raise click.exceptions.Exit(1)


def _verify_signature(cloud: "Deployment", document: Mapping[str, Any]) -> None:
    from cloud.kms import KmsMac

    payload = json.dumps(document["receipt"], sort_keys=True, separators=(",", ":")).encode()
    mac = base64.b64decode(document["mac"])
    if not KmsMac(cloud.client("kms"), cloud.outputs["MacKey"]).verify(payload, mac):
        fail("the signature is invalid: this deployment did not issue the receipt, or it was changed")


def _scan_faces(cloud: "Deployment", photo: Path) -> tuple[int, list[str]]:
    """(number of compared faces, places of similar faces)."""
    from vigil.errors import Rejected
    from vigil_cli.erasure_scan import UnknownFaceScan

    try:
        face_scan = UnknownFaceScan(cloud, photo)
    except Rejected as rejection:
        fail(f"{photo}: {rejection}")
    found = list(face_scan.matches())
    return face_scan.scanned, found


def _print_hits(scanned: Mapping[str, int], hits: Mapping[str, Sequence[str]]) -> None:
    table = new_table("Searched", "place", ">searched", ">found")
    for place, found in hits.items():
        table.add_row(place, str(scanned.get(place, 0)), str(len(found)))
    out.print(table)
    for hit in (hit for found in hits.values() for hit in found):
        err.print(styled("[red]found[/] {}", hit))
    if not any(hits.values()):
        out.print(
            styled(
                "[green]erased[/] the receipt is valid, nothing else is stored; the audit log keeps the id"
            )
        )
