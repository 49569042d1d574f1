"""The bucket against the ledger: which objects have no end yet, why, and the messages that bring them one."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote_plus

from vigil.drops import Drop, Envelope, Misfit, Object, read, route
from vigil.errors import Rejected
from vigil.steady.ledger import LONGEST_LEASE
from vigil.steady.record import Record

Want = Literal["unannounced", "lease-died", "stuck-claim"]

BULK = "bulk/"
"""Keys of objects whose own events go to the bulk lane."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One object version as the bucket lists it; `at` is when it was stored."""

    item: Object
    at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """An object without an end: what it lacks, and the message that makes it a drop again."""

    drop: Drop | Misfit
    want: Want
    message: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something may take before it is called missing.

    young    an object's event may be on its way for so long
    quiet    a claim's lease may have ended so long ago: its message waits to be tried again
    longest  what was announced again may wait so long at most before it is announced once more
    remembers  of objects older than this the ledger has forgotten: that they are not in it says nothing
    """

    young: timedelta = timedelta(minutes=15)
    quiet: timedelta = timedelta(hours=1)
    longest: timedelta = timedelta(days=1)
    remembers: timedelta = timedelta(days=90)

    def again(self, times: int) -> timedelta:
        """How long after so many announcements the next may follow: its message may wait in the lane."""
        return min(self.quiet * (1 << min(max(times - 1, 0), 20)), self.longest)


@dataclass(frozen=True, slots=True)
class Told:
    """When a drop was last announced again, and how often so far."""

    at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Census:
    """How many of the objects that could have an end have one; pages add up.

    objects  old enough to be expected in the ledger
    young    too new to be judged
    """

    objects: int = 0
    settled: int = 0
    young: int = 0
    wants: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Census") -> "Census":
        return Census(
            self.objects + other.objects,
            self.settled + other.settled,
            self.young + other.young,
            dict(Counter(self.wants) + Counter(other.wants)),
        )

    @property
    def completeness(self) -> float:
        """Objects with an end / objects, 0 to 1."""
        return self.settled / self.objects if self.objects else 1.0


def as_drop(listed: Listed, model: str | None = None) -> tuple[Drop | Misfit, str]:
    """The drop that an object is, and a message that announces it: S3's own, or a job for another model.

    The drop is read from the message itself, so that both always have one id.
    """
    body = announcement(listed) if model is None else job(listed, model)
    (drop,) = read(Envelope("", body, listed.at), listed.item.bucket)
    return drop, body


def reconcile(
    page: Iterable[tuple[Listed, Drop | Misfit, str]],
    records: Mapping[str, Record],
    *,
    now: datetime,
    patience: Patience,
) -> tuple[list[Found], Census]:
    """What one page of the listing lacks. `page` holds each object with what `as_drop` made of it."""
    found, settled, young, objects = [], 0, 0, 0
    for listed, drop, message in page:
        record, age = records.get(drop.id), now - listed.at
        if record is None and age >= patience.remembers:
            continue
        if record is None and age < patience.young:
            young += 1
            continue
        objects += 1
        if record is not None and record.settled:
            settled += 1
            continue
        want = wanting(record, now, patience)
        if want is not None:
            found.append(Found(drop, want, message))
    return found, Census(objects, settled, young, dict(Counter(one.want for one in found)))


def due(
    found: Iterable[Found], told: Mapping[str, Told], *, now: datetime, patience: Patience, busy: bool
) -> list[Found]:
    """Those to be announced now, so that a lane that is behind is not buried under what it has already.

    One that was announced waits for an hour before it is again, then for two, four ... While the bulk lane
    is busy its own objects are not missed at all: their events may be among what waits there.
    """
    return [
        one
        for one in found
        if not (busy and one.want == "unannounced" and _in_bulk(one.drop))
        and (one.drop.id not in told or now >= told[one.drop.id].at + patience.again(told[one.drop.id].times))
    ]


def routable(page: Sequence[Listed]) -> list[Listed]:
    """Those whose key names a model and a source: the others were never for a model to see."""
    return [listed for listed in page if _routes(listed.item.key)]


def announcement(listed: Listed) -> str:
    """The notification that S3 would have sent: the ledger cannot tell one from the other."""
    item = listed.item
    stored = {"key": quote_plus(item.key), "versionId": item.version}
    record = {
        "eventSource": "vigil:reconcile",
        "eventTime": listed.at.isoformat(),
        "s3": {"bucket": {"name": item.bucket}, "object": stored},
    }
    return json.dumps({"Records": [record]})


def job(listed: Listed, model: str) -> str:
    """A job that shows an old object to another model: a drop of its own. Raises UnroutableKey."""
    item = listed.item
    _, source = route(item.key)
    where = {"bucket": item.bucket, "key": item.key, "version_id": item.version}
    return json.dumps({"model": model, "source": source, "at": listed.at.isoformat(), "s3": where})


def wanting(record: Record | None, now: datetime, patience: Patience) -> Want | None:
    """What keeps a drop from its end; None where it has it, or somebody is at it."""
    if record is None:
        return "unannounced"
    if record.settled:
        return None
    if record.until > now + LONGEST_LEASE:
        return "stuck-claim"
    if now - record.until > patience.quiet:
        return "lease-died"
    return None


def _in_bulk(drop: Drop | Misfit) -> bool:
    return isinstance(drop.origin, Object) and drop.origin.key.startswith(BULK)


def _routes(key: str) -> bool:
    try:
        route(key)
    except Rejected:
        return False
    return True
