"""The AWS clients of a container; no call, and no wait for a retry, goes beyond the end of the invocation."""

import time
from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import Clock, TokenBucket
from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector
from botocore.retries.throttling import CubicCalculator
from botocore.session import Session

MARGIN_S = 0.4
"""Time that calls leave to the invocation for its response."""

POLL_INTERVAL_S = 0.02
MAX_BACKOFF_S = 20
MAX_RETRY_AFTER_S = 5
"""botocore's limits of a backoff, and of what a service may ask to add to it."""


class DeadlineExceeded(BotoCoreError):  # type: ignore[misc]  # botocore ships no types
    """The invocation has no time left; translate_errors makes it Transient like any failure of AWS."""

    fmt = "the invocation has no time left for it"


class Deadline:
    """The end of the current invocation; without one there is no limit.

    botocore checks it before each attempt, before the backoff for the next one, and while it waits for the
    rate that throttling has set. `attempts` counts all attempts.
    """

    def __init__(self) -> None:
        self._ends_s = float("inf")
        self.attempts = 0

    def begin(self, remaining_s: float) -> None:
        """An invocation with this much time left begins."""
        self._ends_s = time.monotonic() + remaining_s - MARGIN_S

    def attach(self, client: Any) -> Any:
        """Make the client obey the deadline and limit its rate after throttling, as the adaptive mode does.

        A client with one attempt has no rate limit: its caller must learn of throttling at once.
        """
        service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
        if client.meta.config.retries["total_max_attempts"] > 1:
            limiter = _rate_limiter(self.check)
            events.register("before-send", limiter.on_sending_request)
            events.register("needs-retry", limiter.on_receiving_response)
        events.register("before-send", self._count_attempt)
        events.register_first(f"needs-retry.{service}", self._stop_retrying)
        return client

    def check(self) -> None:
        """Raises DeadlineExceeded."""
        if time.monotonic() >= self._ends_s:
            raise DeadlineExceeded

    def _count_attempt(self, **_: Any) -> None:
        self.attempts += 1
        self.check()

    def _stop_retrying(self, attempts: int, response: Any, **_: Any) -> bool | None:
        """False if the next backoff could outlast the invocation; None leaves the decision to botocore."""
        pause_s = min(2 ** (attempts - 1), MAX_BACKOFF_S) + _retry_after_s(response)
        return False if time.monotonic() + pause_s >= self._ends_s else None


class AwsClients:
    """The clients of one container, one for each service and use, all held to its deadline.

    They are botocore's own: boto3 loads s3transfer and multiprocessing besides, a tenth of a cold start.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline, self._session = deadline, Session()
        self._clients: dict[tuple[Any, ...], Any] = {}

    def get(self, service: str, signature: str | None = None) -> Any:
        """The client of a service, with retries that fit inside an invocation."""
        config = {
            "read_timeout": 5,
            "retries": {"mode": "standard", "total_max_attempts": 4},  # `attach` makes it adaptive
            "tcp_keepalive": True,
            "s3": {"addressing_style": "virtual"},  # else links name us-east-1, which redirects or fails
            "signature_version": signature,
        }
        return self._get((service, signature), service, config)

    def without_retries(self, service: str, read_timeout_s: int) -> Any:
        """A client for slow calls that are never repeated: the caller decides about another attempt."""
        config = {"read_timeout": read_timeout_s, "retries": {"total_max_attempts": 1}}
        return self._get((service, read_timeout_s), service, config)

    def _get(self, key: tuple[Any, ...], service: str, config: dict[str, Any]) -> Any:
        if key not in self._clients:
            client = self._session.create_client(service, config=Config(connect_timeout=2, **config))
            self._clients[key] = self._deadline.attach(client)
        return self._clients[key]


class _RateLimitBucket(TokenBucket):  # type: ignore[misc]  # botocore ships no types
    """Waits for tokens until the deadline; the bucket of botocore waits without a limit."""

    def __init__(self, check_deadline: Callable[[], None], clock: Clock) -> None:
        super().__init__(max_rate=1, clock=clock)
        self._check_deadline = check_deadline

    def acquire(self, amount: int = 1, block: bool = True) -> bool:
        while True:
            try:
                return bool(super().acquire(amount, block=False))
            except CapacityNotAvailableError:
                if not block:
                    raise
            self._check_deadline()
            time.sleep(POLL_INTERVAL_S)


def _rate_limiter(check_deadline: Callable[[], None]) -> ClientRateLimiter:
    """The rate limiter of botocore.retries.adaptive, with _RateLimitBucket."""
    clock = Clock()
    return ClientRateLimiter(
        rate_adjustor=CubicCalculator(starting_max_rate=0, start_time=clock.current_time()),
        rate_clocker=RateClocker(clock),
        token_bucket=_RateLimitBucket(check_deadline, clock),
        throttling_detector=ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter()),
        clock=clock,
    )


def _retry_after_s(response: Any) -> float:
    http = response[0] if response else None
    return MAX_RETRY_AFTER_S if http is not None and "x-amz-retry-after" in http.headers else 0
