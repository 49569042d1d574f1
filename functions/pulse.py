"""What active releases show in this container: metrics a batch, a tally in one write every few seconds."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cloud.metrics import ReleaseGauges
from vigil.learn.release import Pointers
from vigil.learn.vitals import Vital, Vitals, is_slow, rise

TALLY_S = 5.0
"""A container adds to a release's tally no more often."""

Told = dict[str, list[float]]


@dataclass
class Pulse:
    """One container's looks by active release since they were last told.

    tell  keeps them in the release's tally; only of a release that could go back to a former one
    """

    gauges: ReleaseGauges
    tell: Callable[[str, str, Vitals, datetime], None]
    _told: dict[tuple[str, str], Told] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    _sums: dict[tuple[str, str], Vitals] = field(default_factory=dict)
    _last: float = float("-inf")

    def watch(self, vital: Vital, pointers: Pointers) -> None:
        """The active release answered a drop, or broke on it."""
        ours = vital.release == pointers.active
        expected = pointers.expected if ours else None
        slow, one = is_slow(vital, expected), (vital.model, vital.release)
        told = self._told[one]
        told["ReleaseBroke"].append(float(vital.broke))
        if vital.broke:
            return
        told["ReleaseSlow"].append(float(slow))
        told["ReleaseUnsureRise"].append(round(rise(vital, expected), 4))
        if ours and pointers.former is not None:
            sums = self._sums.get(one, Vitals())
            self._sums[one] = Vitals(sums.looks + 1, sums.slow + slow, sums.unsure + vital.unsure)

    def flush(self, now: datetime) -> None:
        """The batch is done. Raises Transient where the tally cannot be told."""
        for (model, release), values in self._told.items():
            self.gauges.tell(model, release, values)
        self._told.clear()
        if self._sums and time.monotonic() - self._last >= TALLY_S:
            self._last = time.monotonic()
            while self._sums:
                (model, release), sums = self._sums.popitem()
                self.tell(model, release, sums, now)
