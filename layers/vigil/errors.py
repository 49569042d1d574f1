"""The errors that Vigil raises, and what the queue does about each family.

    VigilError
    ├── Rejected               the input is at fault: it is recorded and never retried
    │   ├── EmptyFile, NotAnImage, TruncatedImage, TooManyPixels, TooManyParts
    │   ├── ObjectTooLarge, ObjectNotFound
    │   ├── MalformedMessage, UnroutableKey, ForeignBucket, UnknownModel
    │   └── (a model may add its own, each with its own reason; so do clips: vigil.video.decoder)
    ├── Transient              a dependency is at fault: the queue retries with growing delays
    │   ├── InvalidConfiguration   stored rules or a gallery snapshot are not valid
    │   └── NoDependencyFailed another worker was first, or too little time is left
    │       └── ConcurrentUpdate   another writer changed a row first: read it again and decide again
    ├── RefusedRequest         a service refuses a request as wrong: a bug, which no repetition mends
    └── BrokenRelease          a release is at fault: another release of the model may answer
        └── DamagedRelease     the copy in this container is damaged: another container may have a good one

Any other exception is a bug: it is retried too, and its message ends in the dead-letter queue.
"""

from typing import Literal


class VigilError(Exception):
    """The base class of all errors that Vigil raises on purpose."""


class Rejected(VigilError):
    """The input can never be processed; `reason` is stable and machine-readable."""

    reason = "rejected"
    boxes_px: tuple[tuple[float, float, float, float], ...] = ()
    """Regions of the image that are at fault, if there are any."""
    person = ""
    """Id of the enrolled person whose face it is, if that is the reason."""


class EmptyFile(Rejected):
    """The object has no bytes."""

    reason = "empty-file"


class NotAnImage(Rejected):
    """The bytes are not an image in a supported format."""

    reason = "not-an-image"


class TruncatedImage(Rejected):
    """The image data end too early."""

    reason = "truncated-image"


class TooManyParts(Rejected):
    """The file has so many scans, chunks or tags that decoding it takes many times as long as usual."""

    reason = "too-many-parts"


class TooManyPixels(Rejected):
    """The decoded image has more pixels than the model card allows."""

    reason = "too-many-pixels"


class ObjectTooLarge(Rejected):
    """The object has more bytes than the model card allows."""

    reason = "object-too-large"


class ObjectNotFound(Rejected):
    """The object was deleted before it could be read."""

    reason = "object-not-found"


class MalformedMessage(Rejected):
    """The message is neither an S3 notification nor a job of the documented form."""

    reason = "malformed-message"


class UnroutableKey(Rejected):
    """The object's key does not name a model and a source."""

    reason = "unroutable-key"


class ForeignBucket(Rejected):
    """The message names a bucket that does not belong to this deployment."""

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


class InvalidConfiguration(Transient):
    """A stored file that the deployment works with is not valid; whoever has a valid one goes on with it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, dependency="store", operation="read configuration")


class ConcurrentUpdate(NoDependencyFailed):
    """Another writer changed a row that this write depends on: read it again and decide again."""


def failed_dependency(error: BaseException) -> str | None:
    """What a failure is counted against; None for a failure that says nothing about any dependency."""
    return error.dependency if isinstance(error, Transient) else MODEL


class RefusedRequest(VigilError):
    """A service refuses a request as wrong: every repetition would fail in the same way."""


class BrokenRelease(VigilError):
    """A model's release cannot be opened, fails, or does not reproduce its golden output."""


class DamagedRelease(BrokenRelease):
    """A file of a release in this container does not have the hash in the manifest; no input is at fault."""

    def __init__(self, model: str, release: str, file: str) -> None:
        super().__init__(f"{model}/{file} of release {release or 'unknown'} is damaged")
        self.model, self.release, self.file = model, release, file
