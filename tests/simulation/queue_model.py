"""One lane: messages wait in order, workers take them, and a worker more takes its time to start."""

from collections import deque

WORKERS_ADDED_PER_S = 5.0
"""Workers that Lambda adds to a queue in a second (300 a minute)."""


class LaneQueue:
    """Messages of one second are one heap; ages are in whole seconds."""

    def __init__(self) -> None:
        self._waiting: deque[list[int]] = deque()
        self._workers = 2.0
        self._credit = 0.0
        self.backlog = 0

    def enqueue(self, now_s: int, count: int) -> None:
        """So many messages at this second."""
        if count:
            self._waiting.append([now_s, count])
            self.backlog += count

    def process(self, now_s: int, *, allowed: float, service_s: float) -> list[tuple[int, int]]:
        """One second's work: (age, count) of the messages finished."""
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
        """Of the oldest message."""
        return float(now_s - self._waiting[0][0]) if self._waiting else 0.0

    @property
    def usable_workers(self) -> float:
        """Workers that would find something to do."""
        return min(self._workers, float(self.backlog))
