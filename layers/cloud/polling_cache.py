"""A value in memory that is read again when it is older than a limit."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from vigil.errors import InvalidConfiguration

T = TypeVar("T")


class PollingCache(ABC, Generic[T]):
    """Returns the value that was read at most `max_age_s` seconds ago; 0 reads at every call.

    An error while reading is raised, and the next call reads again. If what was read is not valid, the last
    valid value is returned.

    is_usable   whether `initial` may be used in place of a value that is not valid
    on_invalid  is called with the reason each time that a value is not valid
    """

    def __init__(
        self,
        initial: T,
        *,
        max_age_s: float,
        is_usable: bool = False,
        on_invalid: Callable[[str], None] | None = None,
    ) -> None:
        self._value, self._max_age_s, self._read_at_s = initial, max_age_s, float("-inf")
        self._is_usable, self._on_invalid, self._age_s = is_usable, on_invalid, 0.0

    def __call__(self) -> T:
        now_s = time.monotonic()
        if now_s - self._read_at_s >= self._max_age_s:
            self._value = self._read_or_last_valid()
            self._read_at_s = now_s
        self._age_s = now_s - self._read_at_s
        return self._value

    def _read_or_last_valid(self) -> T:
        try:
            value = self._read()
        except InvalidConfiguration as error:
            if self._on_invalid is not None:
                self._on_invalid(str(error))
            if not self._is_usable:
                raise
            return self._value
        self._is_usable = True
        return value

    @abstractmethod
    def _read(self) -> T:
        """The current value; `self._value` is still the one before."""
