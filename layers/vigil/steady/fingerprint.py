"""Where and how a drop failed, without what is its own: equal failures get equal fingerprints."""

import hashlib
import re
from dataclasses import dataclass

from vigil.steady.dependency import TRANSIENT, dependency
from vigil.steady.record import Record

DIED = "WorkerDied"
UNCLAIMED = "NeverClaimed"
DAMAGED = "DamagedRelease"

_OWN = (
    (re.compile(r"s3://\S+"), "<object>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.+Z-]+"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}\b"), "<id>"),
    (re.compile(r"\d+(\.\d+)?"), "<n>"),
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What failures have in common.

    kind        the exception's type, or WorkerDied, or NeverClaimed
    message     with ids, numbers, times and quoted text taken out
    dependency  whose failure it is: a store's, or "model" for what happened in our own code
    """

    stage: str
    kind: str
    message: str
    release: str
    dependency: str

    @property
    def id(self) -> str:
        parts = (self.stage, self.kind, self.message, self.release, self.dependency)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """For people: which fault it is, and what it looks like."""
        return f"{self.id}: {self.kind} in {self.stage}: {self.message}"

    @property
    def may_pass(self) -> bool:
        """Whether time may mend it; a bug, or an input that kills workers, will be the same tomorrow."""
        return self.kind in (TRANSIENT, UNCLAIMED, DAMAGED)


def fingerprint(record: Record | None) -> Fingerprint:
    """Of a drop that did not reach its end; None where no worker ever claimed it."""
    if record is None:
        return Fingerprint("claim", UNCLAIMED, "no worker ever claimed it", "", "function")
    stage = record.stage or "claim"
    if not record.error:
        return Fingerprint(stage, DIED, "its worker died without a word", record.release, "model")
    kind, _, message = record.error.partition(": ")
    return Fingerprint(stage, kind, normalised(message), record.release, dependency(kind, message))


def normalised(message: str) -> str:
    """The message without what only this failure has."""
    for own, stands_for in _OWN:
        message = own.sub(stands_for, message)
    return message[:200]
