"""Waits in a drill."""

from datetime import timedelta

from vigil.reliability.circuit_breaker import BreakerPolicy
from vigil.reliability.time_scale import scale_durations
from vigil.reliability.triage import TriagePolicy


def test_every_duration_is_scaled_by_the_length_of_a_minute():
    pace = scale_durations(TriagePolicy(), timedelta(seconds=2))

    assert (pace.initial_backoff, pace.canary_timeout) == (timedelta(seconds=2), timedelta(seconds=20))
    assert (pace.max_redrives, pace.max_suspects) == (
        TriagePolicy().max_redrives,
        TriagePolicy().max_suspects,
    )


def test_unscaled_fields_do_not_change():
    fuse = scale_durations(BreakerPolicy(), timedelta(seconds=2), unscaled=("window",))

    assert (fuse.window, fuse.initial_cool_down) == (BreakerPolicy().window, timedelta(seconds=2))


def test_a_minute_of_sixty_seconds_changes_nothing():
    assert scale_durations(TriagePolicy(), timedelta(minutes=1)) == TriagePolicy()
