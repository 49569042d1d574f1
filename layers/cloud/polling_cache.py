"""A value in memory that is read again when it is older than a limit."""

import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

T = TypeVar("T")


class PollingCache(ABC, Generic[T]):
    """Returns the value that was read at most `max_age_s` seconds ago; 0 reads at every call.

    An error while reading is raised, and the next call reads again.
    """

    def __init__(self, initial: T, *, max_age_s: float) -> None:
        self._value, self._max_age_s, self._read_at_s = initial, max_age_s, float("-inf")
        self._age_s = 0.0

    def __call__(self) -> T:
        now_s = time.monotonic()
        if now_s - self._read_at_s >= self._max_age_s:
            self._value = self._read()
            self._read_at_s = now_s
        self._age_s = now_s - self._read_at_s
        return self._value

    @abstractmethod
    def _read(self) -> T:
        """The current value; `self._value` is still the one before."""
