"""Model of one lane: a first-in-first-out queue whose workers are added at a limited rate."""

from collections import deque

WORKERS_ADDED_PER_S = 5.0
"""Concurrency that Lambda adds to a queue per second (300 per minute, AWS Lambda developer guide)."""


class LaneQueue:
    """Messages of one second are one entry; ages are whole seconds."""

    def __init__(self) -> None:
        self._waiting: deque[list[int]] = deque()
        self._workers = 2.0
        self._credit = 0.0
        self.backlog = 0

    def enqueue(self, now_s: int, count: int) -> None:
        """Add `count` messages that arrive at `now_s`."""
        if count:
            self._waiting.append([now_s, count])
            self.backlog += count

    def process(self, now_s: int, *, allowed: float, service_s: float) -> list[tuple[int, int]]:
        """Process one second; return (age, count) of completed messages."""
        self._workers = min(allowed, self._workers + WORKERS_ADDED_PER_S)
        self._credit = min(self._credit, 1.0) + self._workers / service_s
        done: list[tuple[int, int]] = []
        while self._waiting and self._credit >= 1:
            arrived_at_s, count = self._waiting[0]
            processed = min(count, int(self._credit))
            done.append((now_s - arrived_at_s, processed))
            self._credit -= processed
            self.backlog -= processed
            self._waiting[0][1] -= processed
            if not self._waiting[0][1]:
                self._waiting.popleft()
        return done

    def age_s(self, now_s: int) -> float:
        """Age of the oldest message in seconds."""
        return float(now_s - self._waiting[0][0]) if self._waiting else 0.0

    @property
    def usable_workers(self) -> float:
        """Number of workers that have a message."""
        return min(self._workers, float(self.backlog))
