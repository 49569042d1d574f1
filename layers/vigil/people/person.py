"""Values of people: profiles, the pointer to their galleries, and erasure receipts; without numpy."""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args

from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.inference.types import DEFAULT_GALLERY
from vigil.text import INVISIBLE


class PersonNotFound(Rejected):
    """No person has the id."""

    reason = "person-not-found"


@dataclass(frozen=True, slots=True)
class Person:
    """An enrolled person. The id is random: nothing about them can be read from it.

    gallery  the one gallery that the person is in; it never changes
    user     the user of the collection that the person is, if a client said so
    """

    id: str
    name: str
    tags: frozenset[str] = frozenset()
    gallery: str = DEFAULT_GALLERY
    user: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user of a collection: an id of a client's for the person of some faces.

    person    None as long as no face is the user's
    revision  counts the changes of the user's faces
    """

    gallery: str
    id: str
    person: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PersonChange:
    """A person before and after a change; `before` is None for a new person."""

    before: Person | None
    after: Person


@dataclass(frozen=True, slots=True)
class GalleryPointer:
    """What is in force of one gallery.

    segment_keys       keys of the stored segments in each embedding space
    incomplete_spaces  spaces whose gallery lacks enrolled people: nothing is matched with it
    active_since_s     seconds since 1970 at which the galleries came into force
    """

    version: int = 0
    segment_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    incomplete_spaces: frozenset[str] = frozenset()
    active_since_s: float = 0.0

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all segments."""
        return frozenset(key for keys in self.segment_keys.values() for key in keys)


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What an erasure deleted, counted by kind; of the person it contains the random id only.

    unreadable_datasets  data sets that could not be searched, as model/data set
    """

    person: str
    erased_at: datetime
    gallery_version: int
    counts: dict[str, int]
    unreadable_datasets: tuple[str, ...] = ()


ErasureStep = Literal["galleries", "references", "examples", "faces", "answers", "templates", "receipt"]
ERASURE_STEPS: tuple[ErasureStep, ...] = get_args(ErasureStep)
"""In their order; `references` are the rows about the person with the photos of their drops."""

ERASED_KINDS = (
    "snapshots",
    "photos",
    "sightings",
    "alerts",
    "labels",
    "suppressions",
    "examples",
    "faces",
    "answers",
    "templates",
)


@dataclass(frozen=True, slots=True)
class ErasureProgress:
    """How far the erasure of a person is.

    step             the one that is to be continued
    cursor           the place in it; empty at its beginning
    counts           what was deleted so far, by kind
    gallery_version  of the gallery without the person; 0 before it was changed
    """

    person: str
    began_at: datetime
    step: ErasureStep
    counts: Mapping[str, int]
    cursor: Mapping[str, str] = field(default_factory=dict)
    gallery_version: int = 0
    unreadable_datasets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DropReferences:
    """The rows about a person that belong to one drop, by their keys.

    drop   None for rows that belong to no drop
    photo  None if the drop has none, or none any more
    clip   id and object of the clip that the photo is a frame of; None if it is none, or the clip is deleted
    """

    keys: tuple[tuple[str, str], ...]
    drop: str | None = None
    photo: S3Object | None = None
    clip: tuple[str, S3Object] | None = None


class PersonLookup(Protocol):
    """Finds people by id. Raises Transient."""

    def find_person(self, person_id: str) -> Person | None: ...


def get_person(people: PersonLookup, person_id: str) -> Person:
    """Raises PersonNotFound."""
    person = people.find_person(person_id)
    if person is None:
        raise PersonNotFound(f"no person has the id {person_id}")
    return person


MAX_NAME_LENGTH = 100


class InvalidName(Rejected):
    """A name of a person is empty, too long, or has characters that nobody sees."""

    reason = "invalid-name"


def parse_name(text: str) -> str:
    """A person's name in Unicode's composed form (NFC), without spaces around it. Raises InvalidName."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise InvalidName(f"a name of 1 to {MAX_NAME_LENGTH} characters is needed")
    if re.search(f"[{INVISIBLE}\ud800-\udfff]", name):
        raise InvalidName("a name has no control characters, line breaks or invisible characters")
    return name


def name_identity(name: str) -> str:
    """What two spellings of one name have in common, which is unique in a gallery.

    Unicode's canonical caseless matching (The Unicode Standard, section 3.13, D145).
    """
    decomposed = unicodedata.normalize("NFD", name.strip())
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed.casefold()))


def new_person_id() -> str:
    return f"p-{secrets.token_hex(6)}"
