"""Errors of the local cloud.

LocalCloudError
├── UnsupportedFeature   the template uses a feature that the local cloud does not implement
├── InvalidTemplate      the template is not valid
├── StartupFailed        another cloud uses the data folder, or the package or the runtime is missing
├── CloudCrashed         a thread or process of the cloud crashed
├── NotIdle              work was still active at the timeout
├── FunctionNotFound     the template has no function of this name
├── Throttled            a concurrency limit was reached; the caller gets 429
└── WorkerExited         workers exit before they receive the event
"""

from __future__ import annotations


class LocalCloudError(Exception):
    """Root of the errors in this module."""


class UnsupportedFeature(LocalCloudError):
    """A resource and a feature of it that the local cloud does not implement."""

    def __init__(self, resource: str, feature: str) -> None:
        super().__init__(f"{resource}: the local cloud does not support {feature}")
        self.resource = resource
        self.feature = feature


class InvalidTemplate(LocalCloudError):
    """The template refers to something that it does not contain, or a value is not valid."""


class StartupFailed(LocalCloudError):
    """The state of this machine or of the data folder prevents the start."""


class CloudCrashed(LocalCloudError):
    """A thread of the cloud crashed; its work stopped."""


class NotIdle(LocalCloudError):
    """Names the work that was still active."""


class FunctionNotFound(LocalCloudError):
    """No function has this name, ARN or logical id."""


class Throttled(LocalCloudError):
    """The reserved concurrency or the account's concurrency is in use."""


class WorkerExited(LocalCloudError):
    """No worker received the event, so it had no effect."""
