"""Everything that can go wrong, and what the queue should do about it.

    VigilError
    ├── Rejected               the input is at fault: record it, never retry
    │   ├── EmptyFile, NotAnImage, TruncatedImage, TooManyPixels
    │   ├── WrongType, ObjectTooLarge, ObjectNotFound
    │   ├── MalformedMessage, UnroutableKey, ForeignBucket, UnknownModel
    │   └── (a model may add its own, each with its own reason)
    ├── Transient              a dependency is at fault: the queue retries with growing delays
    │   └── NoDependencyFailed nothing is at fault: another worker was first, or time was short
    │       └── ConcurrentUpdate   another writer changed a row first: read again and decide again
    └── BrokenRelease          a model's own fault: another release of it may answer instead
        └── DamagedRelease     this container's copy is damaged: another container may have it whole

Anything else is a bug: it is retried too, and ends in the dead-letter queue with its stage.
"""

from typing import Literal


class VigilError(Exception):
    """The root: catch it to catch all that Vigil raises on purpose."""


class Rejected(VigilError):
    """The input cannot be processed, today or tomorrow; `reason` is stable and machine-readable."""

    reason = "rejected"
    boxes_px: tuple[tuple[float, float, float, float], ...] = ()
    """Where in the picture the fault lies, if it has a place."""


class EmptyFile(Rejected):
    """The object has no bytes."""

    reason = "empty-file"


class NotAnImage(Rejected):
    """The bytes are not a picture in any format that we read."""

    reason = "not-an-image"


class TruncatedImage(Rejected):
    """The picture begins well and breaks off."""

    reason = "truncated-image"


class TooManyPixels(Rejected):
    """The picture would unpack to more pixels than its model's card allows."""

    reason = "too-many-pixels"


class WrongType(Rejected):
    """The file's type is not one that the route's model reads."""

    reason = "wrong-type"


class ObjectTooLarge(Rejected):
    """The object has more bytes than its model's card allows."""

    reason = "object-too-large"


class ObjectNotFound(Rejected):
    """The object was deleted before it could be read."""

    reason = "object-not-found"


class MalformedMessage(Rejected):
    """The message is neither an S3 notification nor a job as documented."""

    reason = "malformed-message"


class UnroutableKey(Rejected):
    """The object's key does not name a model and a source."""

    reason = "unroutable-key"


class ForeignBucket(Rejected):
    """The message points to a bucket that is not this deployment's."""

    reason = "foreign-bucket"


class UnknownModel(Rejected):
    """No model of that name is deployed."""

    reason = "unknown-model"


Dependency = Literal[
    "records",
    "people",
    "audit",
    "callers",
    "photos",
    "store",
    "queues",
    "topic",
    "operators",
    "functions",
    "metrics",
    "keys",
    "training",
    "issuer",
]
"""What a Transient failure is counted against: a table, bucket, topic or service of the deployment."""

MODEL = "model"
"""What every failure that is not Transient is counted against: our own code with the release at work."""


class Transient(VigilError):
    """A dependency failed, and the same attempt may succeed later.

    dependency  the one that failed; None if the failure is counted against none
    operation   the adapter's operation, which also begins the message
    """

    def __init__(self, detail: str, *, dependency: Dependency | None, operation: str) -> None:
        super().__init__(f"{operation}: {detail}")
        self.dependency, self.operation = dependency, operation


class NoDependencyFailed(Transient):
    """A worker cannot go on now, and no dependency is at fault: the delivery is not counted."""

    def __init__(self, detail: str) -> None:
        VigilError.__init__(self, detail)
        self.dependency, self.operation = None, ""


class ConcurrentUpdate(NoDependencyFailed):
    """Another writer changed a row that this write depends on: read it again and decide again."""


def failed_dependency(error: BaseException) -> str | None:
    """What a failure is counted against; None for a failure that says nothing about any dependency."""
    return error.dependency if isinstance(error, Transient) else MODEL


class BrokenRelease(VigilError):
    """A model's release cannot be opened, fails, or does not reproduce its golden output."""


class DamagedRelease(BrokenRelease):
    """A release's file here is not the one that was made: no input's fault, whatever was asked."""

    def __init__(self, model: str, release: str, file: str) -> None:
        super().__init__(f"{model}/{file} of release {release or 'unknown'} is damaged")
        self.model, self.release, self.file = model, release, file
