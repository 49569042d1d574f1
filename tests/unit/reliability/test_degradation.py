"""What is given up under strain, on which drops, and how it comes back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.memory import NOON
from vigil.drops.messages import Drop, InlinePayload
from vigil.reliability.degradation import (
    BurstTracker,
    DegradationLevel,
    DegradationPolicy,
    InvalidDegradationSteps,
    apply_steps,
    default_steps,
    next_level,
    parse_steps,
)

STEPS = default_steps()
MINUTE = timedelta(minutes=1)


def drop(ident: str = "0f", after_s: float = 0) -> Drop:
    return Drop(ident, "faces", "door", InlinePayload(b""), NOON + timedelta(seconds=after_s))


def after(
    level: DegradationLevel, minutes: float, is_overloaded: bool = False, is_calm: bool = False
) -> DegradationLevel:
    now = level.since + minutes * MINUTE
    return next_level(
        level, is_overloaded=is_overloaded, is_calm=is_calm, max_level=4, now=now, policy=DegradationPolicy()
    )


def test_without_steps_options_do_not_change():
    assert apply_steps(drop(), {"detect": "tiles"}, (), is_first_of_burst=False).options == {
        "detect": "tiles"
    }


def test_a_step_is_named_only_on_drops_that_it_changes():
    tiles, plain = (
        apply_steps(drop(), {"detect": one}, STEPS[:1], is_first_of_burst=False) for one in ("tiles", "320")
    )

    assert (tiles.options, tiles.steps) == ({"detect": "auto"}, ("tiles-off",))
    assert (plain.options, plain.steps) == ({"detect": "320"}, ())


def test_steps_are_cumulative():
    all_ = apply_steps(drop(), {"detect": "tiles"}, STEPS[:2], is_first_of_burst=False)

    assert all_.options == {"detect": "320"}
    assert all_.steps == ("tiles-off", "large-faces-only")


def test_one_in_three_frames_of_a_burst_is_processed_and_redelivery_gives_the_same_result():
    frames = [drop(f"{number:032x}") for number in range(30)]

    out = [apply_steps(frame, {"burst": True}, STEPS, is_first_of_burst=False).is_skipped for frame in frames]

    assert out == [
        apply_steps(frame, {"burst": True}, STEPS, is_first_of_burst=False).is_skipped for frame in frames
    ]
    assert out.count(False) == 10


def test_a_short_burst_is_never_skipped_completely():
    for number in range(60):
        bursts, burst = BurstTracker(), [drop(f"{3 * number + k + 1:032x}", k) for k in range(3)]

        out = [
            apply_steps(
                one, {"burst": True}, STEPS, is_first_of_burst=bursts.is_first_of_burst(one)
            ).is_skipped
            for one in burst
        ]

        assert out[0] is False


def test_the_first_frame_stays_first_after_redelivery_until_the_next_burst():
    bursts = BurstTracker()

    assert [
        bursts.is_first_of_burst(drop(name, s)) for name, s in (("0a", 0), ("0b", 1), ("0a", 0), ("0c", 2))
    ] == [
        True,
        False,
        True,
        False,
    ]
    assert bursts.is_first_of_burst(drop("0d", 9))


def test_if_the_first_frame_is_unreadable_the_next_is_the_first():
    bursts = BurstTracker()
    bursts.is_first_of_burst(drop("0a", 0))

    bursts.forget_unreadable(drop("0a", 0))

    assert [bursts.is_first_of_burst(drop(name, s)) for name, s in (("0b", 1), ("0c", 2))] == [True, False]


def test_an_unreadable_later_frame_changes_nothing():
    bursts = BurstTracker()
    bursts.is_first_of_burst(drop("0a", 0))
    bursts.is_first_of_burst(drop("0b", 1))

    bursts.forget_unreadable(drop("0b", 1))

    assert [bursts.is_first_of_burst(drop(name, s)) for name, s in (("0a", 0), ("0c", 2))] == [True, False]


def test_bursts_are_tracked_by_source():
    bursts = BurstTracker()

    assert all(bursts.is_first_of_burst(replace(drop("0a"), source=source)) for source in ("door", "vault"))


def test_frames_of_a_source_without_bursts_are_never_skipped():
    assert not any(
        apply_steps(drop(f"{number:032x}"), {}, STEPS, is_first_of_burst=False).is_skipped
        for number in range(30)
    )


def test_the_first_step_is_applied_at_once_and_the_next_after_a_delay():
    first = after(DegradationLevel(0, NOON), 0, is_overloaded=True)

    assert first.level == 1
    assert after(first, 1, is_overloaded=True).level == 1
    assert after(first, 2, is_overloaded=True).level == 2


def test_steps_are_removed_one_by_one_while_it_is_calm():
    assert after(DegradationLevel(2, NOON), 4, is_calm=True).level == 2
    assert after(DegradationLevel(2, NOON), 5, is_calm=True).level == 1
    assert after(DegradationLevel(0, NOON), 99, is_calm=True).level == 0


def test_the_level_has_a_maximum():
    assert after(DegradationLevel(4, NOON), 99, is_overloaded=True).level == 4


@pytest.mark.parametrize("text", ["steps = 1", "[[steps]]", "[[steps]]\nname='a'\nputt={}", "nonsense"])
def test_an_invalid_file_of_steps_is_rejected(text: str):
    with pytest.raises(InvalidDegradationSteps):
        parse_steps(text)
