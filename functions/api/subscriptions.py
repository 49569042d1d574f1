"""Webhooks: who is told of what happens, over HTTPS by SNS, and of no more than they may see."""

from collections.abc import Sequence
from itertools import islice
from math import prod
from typing import Any

from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.problems import Forbidden, NotFound, Refused
from functions.api.schemas import operations as shapes

MOST = 100
"""SNS filters take so many values; an endpoint for each is not what this is for."""

COMBINATIONS = 150
"""What SNS takes of a filter: the numbers of values, multiplied."""

NO_SEVERITY = {"exists": False}
"""Drops have no severity; a filter by it is about alerts."""


def create_subscription(call: Call, new: shapes.NewSubscription) -> shapes.Subscription:
    """An endpoint that is told; bound to the sources that the caller sees."""
    if not all(call.caller.sees(source) for source in new.sources):
        raise Forbidden("your token is not for all of these sources")
    policy = _policy(new, new.sources or [_prefix(pattern) for pattern in call.caller.sources])
    ident = wiring.subscriptions().add(new.url, policy, owner=call.caller.id)
    return shapes.Subscription(subscription=ident, url=new.url, filter=policy)


def list_subscriptions(call: Call) -> shapes.Subscriptions:
    """Who is told: of your own subscriptions all, and as an admin those of others that have confirmed."""
    kept = wiring.subscriptions()
    others = (ident for ident, _ in kept.every() if ident) if call.caller.may("admin") else ()
    idents = dict.fromkeys([*sorted(kept.of(call.caller.id)), *others])
    told = (_told(ident) for ident in idents)
    return shapes.Subscriptions(items=tuple(islice((one for one in told if one), MOST)))


def get_subscription(call: Call) -> shapes.Subscription:
    """One subscription with its filter."""
    return _theirs(call)


def delete_subscription(call: Call) -> None:
    """Tell an endpoint nothing more."""
    _theirs(call)
    wiring.subscriptions().remove(call.path["subscription"], owner=call.caller.id)


def _theirs(call: Call) -> shapes.Subscription:
    """A subscription that the caller made; an admin may deal with anybody's. Raises NotFound."""
    ident = call.path["subscription"]
    if not call.caller.may("admin") and ident not in wiring.subscriptions().of(call.caller.id):
        raise NotFound
    told = _told(ident)
    if told is None:
        raise NotFound
    return told


def _told(ident: str) -> shapes.Subscription | None:
    """None where it is gone: one that nobody confirms ends by itself."""
    found = wiring.subscriptions().read(ident)
    return None if found is None else shapes.Subscription(subscription=ident, url=found[0], filter=found[1])


def _policy(new: shapes.NewSubscription, sources: Sequence[object]) -> dict[str, list[Any]]:
    """SNS's filter. Raises Refused where it has more combinations than SNS takes."""
    severities: list[Any] = [*dict.fromkeys(new.severities)]
    if severities and set(new.types) != {"vigil.alert.raised"}:
        severities.append(NO_SEVERITY)
    told = {"type": [*dict.fromkeys(new.types)], "severity": severities, "source": list(sources)}
    policy = {name: values for name, values in told.items() if values}
    if prod(map(len, policy.values())) > COMBINATIONS:
        raise Refused(
            f"types, severities and sources multiply to more than {COMBINATIONS}: make several subscriptions",
            reason="too-many-combinations",
        )
    return policy


def _prefix(pattern: str) -> object:
    """A pattern of sources as SNS can filter by it. Raises Forbidden for one that it cannot."""
    plain = pattern.rstrip("*")
    if any(mark in plain for mark in "*?[") or len(pattern) - len(plain) > 1:
        raise Forbidden("name the sources: your token's patterns cannot be made a filter")
    return plain if plain == pattern else {"prefix": plain}


OPERATIONS = (
    Operation(
        "POST",
        "/v1/subscriptions",
        name="create-subscription",
        summary="Have an HTTPS endpoint told of what happens",
        serve=create_subscription,
        role="operator",
        takes=shapes.NewSubscription,
        answers=shapes.Subscription,
        status=201,
        audited=True,
        problems=(Forbidden, Refused),
    ),
    Operation(
        "GET",
        "/v1/subscriptions",
        name="list-subscriptions",
        summary="Who is told",
        serve=list_subscriptions,
        role="operator",
        answers=shapes.Subscriptions,
    ),
    Operation(
        "GET",
        "/v1/subscriptions/{subscription}",
        name="get-subscription",
        summary="One subscription with its filter",
        serve=get_subscription,
        role="operator",
        answers=shapes.Subscription,
        problems=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/v1/subscriptions/{subscription}",
        name="delete-subscription",
        summary="Tell an endpoint nothing more",
        serve=delete_subscription,
        role="operator",
        status=204,
        audited=True,
        problems=(NotFound,),
    ),
)
