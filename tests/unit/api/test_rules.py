"""Rules are compared with the cards of the deployed models."""

import pytest

from functions.api.resources.rules import problems_with_detect
from models.build.files import CARDS
from vigil.alerts.rules import RuleSet, parse_rules
from vigil.faces.recognizer import FacesCard
from vigil.toml_file import load_toml

CARD = {"detection": {"default_input": "320", "inputs": {"320": {}, "640": {}}}}


def _rules(detect: str) -> RuleSet:
    return parse_rules(
        f'[sources.door]\noptions = {{ detect = "{detect}" }}\n\n'
        '[[rules]]\nname = "watch"\nseverity = "critical"\nwhen = { tags = ["watch"] }\n'
    )


@pytest.mark.parametrize("detect", ["auto", "320", "640", "tiles"])
def test_a_source_may_choose_each_way_of_detection_whatever_the_card_s_default_is(detect: str):
    assert not list(problems_with_detect(_rules(detect), CARD))


def test_an_input_that_the_card_does_not_have_is_a_problem():
    problems = list(problems_with_detect(_rules("480"), CARD))

    assert problems == ["sources.door.options.detect: 480; allowed: auto, 320, 640, tiles"]


def test_the_rules_and_the_card_offer_the_same_ways_of_detection():
    card = load_toml(CARDS / "faces" / "card.toml")

    for name in card.convert(FacesCard).detection.names:
        assert not list(problems_with_detect(_rules(name), card.values))
