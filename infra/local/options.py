"""What can be different from one local cloud to the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How a cloud differs from the next.

    `state` is the file in which AWS's state is kept; without one it lives in memory.
    `processes` caps the workers of all functions together, `account_limit` their invocations, as AWS does;
    `minute_s` is how long a minute of rate(...) takes, `paces` the same for single functions by name;
    `retry_s` are the waits of asynchronous retries.
    """

    package: Path
    data: Path
    runtime: Path
    state: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    processes: int = 2 * (os.cpu_count() or 1)
    account_limit: int = 1000
    idle_s: float = 300.0
    minute_s: float = 60.0
    paces: Mapping[str, float] = field(default_factory=dict)
    retry_s: Sequence[float] = (1.0, 2.0)
    gateway_limit_s: float = 29.0
    region: str = "us-east-1"
    on_progress: Callable[[str], None] | None = None
