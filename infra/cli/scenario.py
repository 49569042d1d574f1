"""What the demo drops, and what must come of each."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from infra.cli.places import BUILD, PHOTOS
from infra.models.places import PHOTOS as GROUPS

DOOR, LOBBY, VAULT = "door", "lobby", "vault"


@dataclass(frozen=True, slots=True)
class Scene:
    """One file to drop at a source, and what must come of it.

    expected  "done", or the reason of a rejection
    people    who must be recognised in it
    """

    file: Path
    source: str
    expected: str = "done"
    people: tuple[str, ...] = ()


ENROLLED: Mapping[str, tuple[Path, tuple[str, ...]]] = {
    "Barack Obama": (PHOTOS / "obama.jpg", ("watch",)),
    "Joe Biden": (PHOTOS / "biden.jpg", ()),
}
"""Name -> the photo to enrol from, and the lists the person is on."""


def scenes() -> list[Scene]:
    """The demo's drops, in order; bad files are made on the way."""
    people = [
        Scene(PHOTOS / name, DOOR, people=("Barack Obama",))
        for name in ("obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg")
    ]
    strangers = [Scene(GROUPS / "sample1.jpg", LOBBY), Scene(GROUPS / "sample2.jpg", VAULT)]
    return people + strangers + _bad_files(BUILD / "demo" / "bad")


def _bad_files(folder: Path) -> list[Scene]:
    photo = (PHOTOS / "obama2.jpg").read_bytes()
    files = {
        "empty.jpg": (b"", "empty-file"),
        "letter.jpg": (b"Dear door, please find attached no photograph.", "not-an-image"),
        "torn in half.jpg": (photo[: len(photo) // 2], "truncated-image"),
        "bomb 100%.png": (_bomb(), "too-many-pixels"),
        "film.mp4": (b"\x00\x00\x00\x18ftypmp42", "wrong-type"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return [Scene(folder / name, DOOR, expected) for name, (_, expected) in files.items()]


def _bomb() -> bytes:
    """A picture of a few hundred kilobytes that unpacks to 900 million pixels."""
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    return out.getvalue()
