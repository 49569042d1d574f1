"""What is given up under strain, on which drops, and how it comes back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.memory import NOON
from vigil.drops import Drop, Inline
from vigil.steady.bursts import Bursts
from vigil.steady.degrade import BadSteps, Relief, Tempo, default_steps, eased, read_steps, relieve

STEPS = default_steps()
MINUTE = timedelta(minutes=1)


def drop(ident: str = "0f", after_s: float = 0) -> Drop:
    return Drop(ident, "faces", "door", Inline(b""), NOON + timedelta(seconds=after_s))


def after(relief: Relief, minutes: float, strained: bool = False, calm: bool = False) -> Relief:
    now = relief.since + minutes * MINUTE
    return relieve(relief, is_strained=strained, is_calm=calm, most=4, now=now, tempo=Tempo())


def test_without_steps_options_are_untouched():
    assert eased(drop(), {"detect": "tiles"}, (), first=False).options == {"detect": "tiles"}


def test_a_step_names_itself_only_on_drops_that_it_changes():
    tiles, plain = (eased(drop(), {"detect": one}, STEPS[:1], first=False) for one in ("tiles", "320"))

    assert (tiles.options, tiles.steps) == ({"detect": "640"}, ("tiles-off",))
    assert (plain.options, plain.steps) == ({"detect": "320"}, ())


def test_steps_add_up():
    all_ = eased(drop(), {"detect": "tiles"}, STEPS[:3], first=False)

    assert all_.options == {"detect": "480", "landmarks": "once"}
    assert all_.steps == ("tiles-off", "landmarks-once", "smaller-detection")


def test_of_a_burst_one_in_three_is_kept_and_a_redelivery_decides_the_same():
    frames = [drop(f"{number:032x}") for number in range(30)]

    out = [eased(frame, {"burst": True}, STEPS, first=False).left_out for frame in frames]

    assert out == [eased(frame, {"burst": True}, STEPS, first=False).left_out for frame in frames]
    assert out.count(False) == 10


def test_a_burst_of_three_frames_is_never_left_out_whole():
    for number in range(60):
        bursts, burst = Bursts(), [drop(f"{3 * number + k + 1:032x}", k) for k in range(3)]

        out = [eased(one, {"burst": True}, STEPS, first=bursts.opens(one)).left_out for one in burst]

        assert out[0] is False


def test_the_first_frame_stays_the_first_when_it_is_delivered_again_and_the_next_burst_has_its_own():
    bursts = Bursts()

    assert [bursts.opens(drop(name, s)) for name, s in (("0a", 0), ("0b", 1), ("0a", 0), ("0c", 2))] == [
        True,
        False,
        True,
        False,
    ]
    assert bursts.opens(drop("0d", 9))


def test_where_the_first_frame_could_not_be_seen_the_next_is_the_first():
    bursts = Bursts()
    bursts.opens(drop("0a", 0))

    bursts.broken(drop("0a", 0))

    assert [bursts.opens(drop(name, s)) for name, s in (("0b", 1), ("0c", 2))] == [True, False]


def test_a_broken_frame_that_was_not_the_first_changes_nothing():
    bursts = Bursts()
    bursts.opens(drop("0a", 0))
    bursts.opens(drop("0b", 1))

    bursts.broken(drop("0b", 1))

    assert [bursts.opens(drop(name, s)) for name, s in (("0a", 0), ("0c", 2))] == [True, False]


def test_sources_have_bursts_of_their_own():
    bursts = Bursts()

    assert all(bursts.opens(replace(drop("0a"), source=source)) for source in ("door", "vault"))


def test_no_frame_of_a_door_is_ever_left_out():
    assert not any(eased(drop(f"{number:032x}"), {}, STEPS, first=False).left_out for number in range(30))


def test_the_first_step_is_taken_at_once_and_the_next_when_it_did_not_help():
    first = after(Relief(0, NOON), 0, strained=True)

    assert first.level == 1
    assert after(first, 1, strained=True).level == 1
    assert after(first, 2, strained=True).level == 2


def test_steps_are_taken_back_one_by_one_when_it_is_calm():
    assert after(Relief(2, NOON), 4, calm=True).level == 2
    assert after(Relief(2, NOON), 5, calm=True).level == 1
    assert after(Relief(0, NOON), 99, calm=True).level == 0


def test_there_is_an_end_to_what_is_given_up():
    assert after(Relief(4, NOON), 99, strained=True).level == 4


@pytest.mark.parametrize("text", ["steps = 1", "[[steps]]", "[[steps]]\nname='a'\nputt={}", "nonsense"])
def test_a_file_that_cannot_be_meant_is_refused(text: str):
    with pytest.raises(BadSteps):
        read_steps(text)
