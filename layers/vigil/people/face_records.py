"""Records of enrolled faces: each is one template of a person, with an id and where it was found."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from vigil.inference.types import FaceOrigin


@dataclass(frozen=True, slots=True)
class FaceKey:
    """Where a template is stored: its person, the version of the gallery that it came with, its number."""

    person: str
    version: int
    number: int

    @property
    def face_id(self) -> str:
        """A UUID that contains the key, so that no further row is needed to find a face by its id."""
        head = f"{self.person.removeprefix('p-')}{self.version:08x}{self.number:02x}"
        return str(uuid.UUID(head + _check_digits(head)))


def parse_face_id(text: str) -> FaceKey | None:
    """The key in the id of a face; None if the id is not of a face that was enrolled here."""
    digits = text.replace("-", "")
    head, check = digits[:22], digits[22:]
    if check != _check_digits(head):
        return None
    return FaceKey(f"p-{head[:12]}", int(head[12:20], 16), int(head[20:], 16))


def _check_digits(head: str) -> str:
    return hashlib.sha256(head.encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """One enrolled face; a face of an ordinary enrolment has no origin.

    quality      0 to 1
    enrolled_at  aware, UTC
    user       the user that a client said the face is of
    earlier_id  of a face that moved to another person and is known by the id it had before
    """

    key: FaceKey
    origin: FaceOrigin | None
    quality: float
    enrolled_at: datetime
    user: str | None = None
    earlier_id: str | None = None

    @property
    def face_id(self) -> str:
        return self.earlier_id or self.key.face_id
