"""What people are tagged with: the watch list, and consent to be learned from."""

from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.people import WATCH, answered
from functions.api.problems import NotFound
from functions.api.schemas import people as shapes
from functions.settings import settings
from vigil.learn.consent import LEARN


def watch_person(call: Call) -> shapes.PersonId:
    """On the watch list: an alert whenever they are seen."""
    return _tagged(call, {"put": [WATCH]})


def unwatch_person(call: Call) -> shapes.PersonId:
    """Off the watch list."""
    return _tagged(call, {"drop": [WATCH]})


def consent_to_learning(call: Call) -> shapes.PersonId:
    """They agree that models learn from their pictures, where the source allows it."""
    return _tagged(call, {"put": [LEARN]})


def withdraw_consent(call: Call) -> shapes.PersonId:
    """They do not agree any more: what stored data sets hold of them is deleted within the hour."""
    return _tagged(call, {"drop": [LEARN]})


def _tagged(call: Call, change: dict[str, list[str]]) -> shapes.PersonId:
    question = {"person": call.path["person"], **change}
    told = answered(wiring.neighbours().ask(settings().enrol_function, question))
    return shapes.PersonId(person=told["person"], tags=tuple(told["tags"]))


OPERATIONS = (
    Operation(
        "PUT",
        "/v1/people/{person}/watch",
        name="watch-person",
        summary="Onto the watch list",
        serve=watch_person,
        role="operator",
        answers=shapes.PersonId,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}/watch",
        name="unwatch-person",
        summary="Off the watch list",
        serve=unwatch_person,
        role="operator",
        answers=shapes.PersonId,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "PUT",
        "/v1/people/{person}/consent",
        name="consent-to-learning",
        summary="Models may learn from them",
        serve=consent_to_learning,
        role="operator",
        answers=shapes.PersonId,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}/consent",
        name="withdraw-consent",
        summary="Models may no longer learn from them",
        serve=withdraw_consent,
        role="operator",
        answers=shapes.PersonId,
        audited=True,
        problems=(NotFound,),
    ),
)
