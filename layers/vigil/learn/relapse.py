"""Whether the active release must give way to its former one, and why."""

from datetime import datetime, timedelta

from vigil.learn.interval import wilson
from vigil.learn.vitals import LOOKS, Expected, Vitals

WINDOW = timedelta(hours=1)
"""What was shown before says nothing about now."""

PROBATION = timedelta(days=1)
"""So long what changes is put down to the new release; later the world may have changed instead."""

BROKEN_DROPS = 3
BREAKS = 0.01
"""The share of drops that a release may break on."""

SLOW_SHARE = 0.5
UNSURE_RISE = 0.25


def relapse(vitals: Vitals, expected: Expected | None, *, active: timedelta) -> str:
    """Why the release must go, surely; "" while it need not. `active` is for how long it has been."""
    if vitals.broke >= BROKEN_DROPS and wilson(vitals.broke, vitals.broke + vitals.looks).low > BREAKS:
        return f"broke on {vitals.broke} drops"
    if expected is None or vitals.looks < LOOKS or active > PROBATION:
        return ""
    slow, unsure = wilson(vitals.slow, vitals.looks), wilson(vitals.unsure, vitals.looks)
    if slow.low > SLOW_SHARE:
        return f"slow on {vitals.slow} of {vitals.looks} drops; {expected.ms:.0f} ms in canary"
    if unsure.low > expected.unsure + UNSURE_RISE:
        return f"knew nothing in {unsure.value:.0%} of {vitals.looks} drops, in canary {expected.unsure:.0%}"
    return ""


def counts_since(began: datetime, now: datetime) -> datetime:
    """From when on what a release showed counts."""
    return max(began, now - WINDOW)
