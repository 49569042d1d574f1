"""What counts as growth in a soak."""

from tests.soak.checks import find_growth
from tests.soak.sampling import DATABASE, SoakSample, growth


def _samples(
    mb_per_min: float, *, process: str = "live", unfinished: int = 0, minutes: int = 60
) -> list[SoakSample]:
    return [
        SoakSample(60.0 * minute, {process: 100 + mb_per_min * minute}, 120 * minute, unfinished)
        for minute in range(minutes + 1)
    ]


def test_growth_is_the_rise_of_a_fitted_line_after_the_warm_up():
    at_s = [float(second) for second in range(0, 91, 10)]

    assert round(growth(at_s, [50.0 if at < 30 else 100 + at for at in at_s]), 6) == 60


def test_a_flat_process_passes_and_one_that_leaks_does_not():
    assert find_growth(_samples(0.0)) == []
    assert "live grew by 40.0 MB" in find_growth(_samples(1.0))[0]


def test_the_database_may_grow_with_what_it_holds_and_no_faster():
    assert find_growth(_samples(2.0, process=DATABASE)) == []
    assert "database grew" in find_growth(_samples(10.0, process=DATABASE))[0]


def test_unfinished_drops_are_reported():
    assert find_growth(_samples(0.0, unfinished=3)) == ["3 drops have no end"]
