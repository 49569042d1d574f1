"""Everything that can go wrong in the local cloud, and who is told.

LocalCloudError
├── CannotImitate     the template asks for what this cloud does not do: it does not start
├── BadTemplate       the template contradicts itself: it does not start
├── CannotStart       the machine is at fault (another cloud on the same data, no runtime)
├── CloudFault        a part of the cloud itself crashed while running
├── NotQuiet          work was still going on when the time was up
├── NoSuchFunction    the caller named a function that the template does not have
├── Throttled         a concurrency limit was reached: the caller gets 429
└── WorkerGone        a worker ended before it took the event: the event is given to another
"""

from __future__ import annotations


class LocalCloudError(Exception):
    """Root of everything below."""


class UnsupportedFeature(LocalCloudError):
    """Names the resource and the property, so that the sentence alone says what to change."""

    def __init__(self, resource: str, feature: str) -> None:
        super().__init__(f"{resource}: the local cloud does not support {feature}")
        self.resource = resource
        self.feature = feature


class InvalidTemplate(LocalCloudError):
    """The template refers to something that it does not hold."""


class StartupFailed(LocalCloudError):
    """The machine or the data folder stands in the way."""


class CloudCrashed(LocalCloudError):
    """A thread of the cloud crashed; what it did is no longer done."""


class NotIdle(LocalCloudError):
    """Says what was still under way."""


class FunctionNotFound(LocalCloudError):
    """No function of this name, ARN or logical id."""


class Throttled(LocalCloudError):
    """Rate exceeded: the reserved or the account concurrency is in use."""


class WorkerExited(LocalCloudError):
    """The event was never delivered, so nothing of it can have happened."""
