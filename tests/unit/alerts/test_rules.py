"""Rules select sightings; each subject at a source in a window raises one alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.fakes.memory import NOON
from vigil.alerts.evaluate import evaluate_rules
from vigil.alerts.rules import InvalidRules, default_rules, parse_rules, read_rules
from vigil.alerts.unknown_subjects import UnknownSubjects, assign_subject, no_subjects
from vigil.drops.messages import Drop, InlinePayload
from vigil.inference.types import Prediction, Sighting

KNOWN = Sighting("p-1", "known", 0.8, tags=frozenset({"watch"}))


def unit(*numbers: float) -> Any:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def unknown_face(*numbers: float) -> Sighting:
    return Sighting("unknown", "unknown", 0.1, vector=unit(*numbers), same_subject_threshold=0.9)


def drop(ident: str = "d1", source: str = "vault", at: datetime = NOON) -> Drop:
    return Drop(ident, "faces", source, InlinePayload(b""), at)


def prediction(*sightings: Sighting) -> Prediction:
    return Prediction(sightings, found=len(sightings))


def test_a_watch_listed_person_raises_a_critical_alert():
    (alert,), strangers = evaluate_rules(prediction(KNOWN), drop(source="door"), default_rules(), no_subjects)

    assert (alert.rule, alert.severity, alert.subject, strangers) == ("watch-listed", "critical", "p-1", None)


def test_a_known_person_on_no_watch_list_raises_no_alert():
    assert evaluate_rules(
        prediction(replace(KNOWN, tags=frozenset())), drop(), default_rules(), no_subjects
    ) == ((), None)


def test_many_frames_of_a_person_in_one_window_raise_one_alert():
    frames = [drop(f"d{n}", "door", NOON + timedelta(seconds=n)) for n in range(60)]

    ids = {
        evaluate_rules(prediction(KNOWN), frame, default_rules(), no_subjects)[0][0].id for frame in frames
    }

    assert len(ids) == 1


def test_another_window_and_another_source_raise_other_alerts():
    frames = [drop("a", "door"), drop("b", "door", NOON + timedelta(minutes=10)), drop("c", "gate")]

    ids = {
        evaluate_rules(prediction(KNOWN), frame, default_rules(), no_subjects)[0][0].id for frame in frames
    }

    assert len(ids) == 3


def test_two_unknown_people_raise_two_alerts_and_one_unknown_person_twice_raises_one():
    known: dict[tuple[str, str], UnknownSubjects] = {}
    ids = []
    for number, seen in enumerate([unknown_face(1, 0), unknown_face(0, 1), unknown_face(1, 0.1)]):
        alerts, strangers = evaluate_rules(
            prediction(seen),
            drop(f"drop-{number}"),
            default_rules(),
            lambda *at: known.get(at, no_subjects(*at)),
        )
        assert strangers is not None
        known[strangers.source, strangers.window] = strangers
        ids.append(alerts[0].id)

    assert ids[0] == ids[2] != ids[1]


def test_an_unknown_person_with_a_negative_score_raises_an_alert():
    alerts, _ = evaluate_rules(
        prediction(replace(unknown_face(1, 0), score=-0.2)), drop(), default_rules(), no_subjects
    )

    assert len(alerts) == 1


def test_an_unknown_person_in_an_open_area_raises_no_alert():
    assert evaluate_rules(
        prediction(unknown_face(1, 0)), drop(source="lobby"), default_rules(), no_subjects
    ) == ((), None)


@pytest.mark.parametrize("status", ["ambiguous", "unfit"])
def test_a_face_that_cannot_be_decided_raises_an_alert_in_a_restricted_area_only(status: Any):
    alerts = {
        source: evaluate_rules(
            prediction(Sighting(status, status)), drop(source=source), default_rules(), no_subjects
        )[0]
        for source in ("vault", "lobby")
    }

    assert [one.rule for one in alerts["vault"]] == ["undecided-in-restricted-area"]
    assert alerts["lobby"] == ()


def test_an_ambiguous_face_of_which_one_candidate_is_on_the_watch_list_raises_a_critical_alert():
    twin = Sighting("ambiguous", "ambiguous", 0.8, tags=frozenset({"watch", "staff"}))

    (alert,), _ = evaluate_rules(prediction(twin), drop(source="lobby"), default_rules(), no_subjects)

    assert (alert.rule, alert.severity) == ("possibly-watch-listed", "critical")


HOURS = """
[sources.shop]
hours = { opens = "22:00", closes = "06:00", days = ["fri"], timezone = "Europe/Berlin" }
[[rules]]
name = "closed"
when = { status = ["unknown"], hours = "closed" }
"""


@pytest.mark.parametrize(
    ("at", "raised"),
    [
        (datetime(2026, 3, 6, 20, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 6, 21, 1, tzinfo=UTC), 0),
        (datetime(2026, 3, 7, 4, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 7, 5, 1, tzinfo=UTC), 1),
        (datetime(2026, 3, 7, 21, 1, tzinfo=UTC), 1),
    ],
)
def test_hours_extend_over_midnight_in_the_timezone_of_the_source(at: datetime, raised: int):
    alerts, _ = evaluate_rules(
        prediction(unknown_face(1, 0)), drop(source="shop", at=at), parse_rules(HOURS), no_subjects
    )

    assert len(alerts) == raised


def test_a_rule_can_match_a_label_of_any_model():
    watch = parse_rules(
        '[[rules]]\nname = "fire"\nwhen = { models = ["faces"], labels = ["fire"], min_score = 0.7 }'
    )

    sure, unsure = (
        evaluate_rules(prediction(Sighting("fire", "known", score)), drop(), watch, no_subjects)[0]
        for score in (0.8, 0.6)
    )

    assert (len(sure), len(unsure)) == (1, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("= 1", "Invalid"),
        ("[source.x]", "unknown key source; keys: sources, rules"),
        ('[sources.x]\ncolour = "red"', "unknown key colour at sources.x; keys: area, hours, options"),
        ('[sources.x.hours]\nopens = "25:00"\ncloses = "06:00"', "opens"),
        (
            '[sources.x.hours]\nopens = "05:00"\ncloses = "06:00"\ndays = ["someday"]',
            r"'someday' at sources.x.hours.days.*allowed: fri, mon",
        ),
        ('[sources.x.hours]\nopens = "05:00"\ncloses = "06:00"\ntimezone = "Mars/Base"', "Mars"),
        ('[[rules]]\nseverity = "info"', r"missing required key name at rules\[0\]"),
        (
            '[[rules]]\nname = "a"\nseverity = "loud"',
            r"'loud' at rules\[0\].severity; allowed: critical, info, warning",
        ),
        ('[[rules]]\nname = "a"\nwindow_s = 0', "window_s"),
        ('[[rules]]\nname = "a"\n[[rules]]\nname = "a"', "share a name"),
        (
            '[[rules]]\nname = "a"\nwhen = { hours = "never" }',
            r"rules\[0\].when.hours; allowed: closed, open",
        ),
        ('[[rules]]\nname = "a"\nreviewers = 4', "reviewers"),
        ('[sources.door]\ntraining_policy = "yes"', "allowed: always, consented, never"),
    ],
)
def test_the_error_for_invalid_rules_names_the_key(text: str, told: str):
    with pytest.raises(InvalidRules, match=told):
        parse_rules(text)


WRONG_SHAPES = [
    ('sources = ["door"]', "expected object, got array at sources"),
    ("sources = 1", "expected object, got int at sources"),
    ("rules = 7", "expected array, got int at rules"),
    ('[rules]\nname = "a"', "expected array, got object at rules"),
    ("rules = [1]", r"expected object, got int at rules\[0\]"),
    ("rules = [[]]", r"expected object, got array at rules\[0\]"),
    ("[sources]\ndoor = 1", "line 2: expected object, got int at sources.door"),
    ("[sources.door]\nhours = 8", "line 2: expected object, got int at sources.door.hours"),
    ("[sources.door]\narea = 5", "line 2: expected str, got int at sources.door.area; expected lower-case"),
    (
        "[sources.door.hours]\nopens = 08:00:00\ncloses = 09:00:00",
        r'line 2: expected str, got time at .*opens; expected a time in quotes such as "08:00"',
    ),
    (
        '[sources.door.hours]\nopens = "08:00+01:00"\ncloses = "09:00"',
        "line 2: .*opens; expected a time in quotes",
    ),
    ('[sources.door.hours]\nopens = "00:00"\ncloses = "00:00"', "opens and closes are equal"),
    ('[sources.door.hours]\nopens = "08:00"\ncloses = "09:00"\ndays = []', "at least one day"),
    (
        '[sources.door.hours]\nopens = "08:00"\ncloses = "09:00"\ndays = "mon"',
        r'write it as a list: \["mon"\]',
    ),
    ('[sources.door.hours]\nopens = "08:00"\ncloses = "09:00"\ntimezone = "../etc"', "unknown timezone"),
    (
        '[sources.door.options]\nresolution = "high"',
        "unknown key resolution at sources.door.options; keys: detect",
    ),
    ("[sources.door.options]\ndetect = 480", 'line 2: .*detect; expected "480" or'),
    ('[sources."door 1"]\narea = "open"', "a source, or a pattern such as"),
    ('[sources."door-*"]\n[sources.door-1]', r"door-1 has no effect: door-\* before it"),
    ('[[rules]]\nname = "a"\nwhen = "always"', r"expected object, got str at rules\[0\].when"),
    (
        '[[rules]]\nname = "a"\n[[rules]]\nname = "b"\nwhen = { status = "unknown" }',
        r'line 5: expected array, got str at rules\[1\].when.status; write it as a list: \["unknown"\]',
    ),
    (
        '[[rules]]\nname = "a"\nwhen = { status = ["unkown"] }',
        r"line 3: .*'unkown' at rules\[0\].when.status\[0\]; allowed: .*; did you mean unknown\?",
    ),
    ('[[rules]]\nname = "a"\nwhen = { tags = "watch" }', r'write it as a list: \["watch"\]'),
    ('[[rules]]\nname = "a"\nwhen = { tags = [["watch"]] }', r"at rules\[0\].when.tags\[0\]"),
    ('[[rules]]\nname = "a"\nwhen = { tags = [] }', "at least one word"),
    ('[[rules]]\nname = "a"\nwhen = { min_score = 80 }', "a number from -1 to 1"),
    ('[[rules]]\nname = "a"\nwhen = { min_score = nan }', "a number from -1 to 1"),
    (
        '[[rules]]\nname = "a"\nwhen = { area = "restriced" }',
        "no source is in the area restriced; areas: open",
    ),
    ('[[rules]]\nname = "a"\nsevrity = "info"', "did you mean severity"),
    ('[[rules]]\nname = ""', "a name"),
    ('[[rules]]\nname = "a"\nwindow_s = 1.5', "expected int, got float"),
    ('[[rules]]\nname = "a"\nwindow_s = 1e9', "window_s"),
    ("[[rules]]\nname = 2026-03-02T08:00:00+01:00", "expected str, got datetime"),
    ("", "there is no rule"),
    ("# rules", "there is no rule"),
    ('[sources.door]\narea = "open"', "there is no rule"),
    ("x" * 1_100_000, "the limit is"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_SHAPES, ids=range(len(WRONG_SHAPES)))
def test_every_wrong_shape_is_refused_with_its_line_its_place_and_what_is_right(text: str, told: str):
    with pytest.raises(InvalidRules, match=told):
        parse_rules(text)


def test_a_file_that_is_not_utf_8_is_refused_with_its_line_and_a_byte_order_mark_is_accepted():
    with pytest.raises(InvalidRules, match=r"^door\.toml, line 2: byte 0xfc is not UTF-8"):
        read_rules("door.toml", b'[[rules]]\nname = "T\xfcr"\n')

    (rule,) = read_rules("door.toml", '\ufeff[[rules]]\nname = "Tür"\n'.encode()).rules
    assert rule.name == "Tür"


@pytest.mark.parametrize("key", ["a." * 50_000 + "a", "'a'." * 20_000 + "a", "x = {" + "a . " * 20_000 + "a"])
def test_a_dotted_key_of_many_parts_is_refused_before_it_is_parsed(key: str):
    with pytest.raises(InvalidRules, match="a key has more than 16 parts"):
        parse_rules(f"{key} = 1")


@pytest.mark.parametrize(
    "text", ["a" * 900_000, '"' * 900_000, "a " * 450_000, "[" * 900_000, "x = " + "[" * 900_000]
)
def test_a_text_without_an_end_is_refused_quickly(text: str):
    with pytest.raises(InvalidRules):
        parse_rules(text)


def test_an_explicit_empty_list_of_rules_switches_alerts_off():
    assert parse_rules("rules = []").rules == ()


def test_a_source_allows_no_training_by_default():
    watch = parse_rules(
        'rules = []\n[sources.studio]\ntraining_policy = "always"\n'
        '[sources."door-*"]\nstore_unknown_faces = true'
    )

    assert [watch.source_settings(name).training_policy for name in ("studio", "door-1", "hall")] == [
        "always",
        "never",
        "never",
    ]


def test_the_number_of_unknown_subjects_of_a_window_is_limited():
    strangers = no_subjects("vault", "w")
    rng = np.random.default_rng(7)
    for number in range(UnknownSubjects.MAX_SUBJECTS + 20):
        vector = unit(*rng.normal(size=64))
        _, strangers = assign_subject(strangers, vector, same_subject_threshold=0.99, new_id=f"s{number}")

    assert len(strangers.ids) == len(strangers.vectors) == UnknownSubjects.MAX_SUBJECTS


@pytest.mark.parametrize("galleries", ["[]", '"staff"', '["Staff"]', '["a b"]', '[""]'])
def test_galleries_of_a_source_are_a_list_of_names(galleries: str):
    with pytest.raises(InvalidRules, match="galleries"):
        parse_rules(f"[sources.door]\ngalleries = {galleries}")


@pytest.mark.parametrize("name", ["", "a\\n", "a\\nb", "a\\u001bb", "a\\u202eb", "x" * 101])
def test_the_name_of_a_rule_is_one_visible_line(name: str):
    with pytest.raises(InvalidRules):
        parse_rules(f'[[rules]]\nname = "{name}"')
