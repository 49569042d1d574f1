"""Webhooks: who is told of what happens, over HTTPS by SNS, and of no more than they may see."""

from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.problems import Forbidden, NotFound
from functions.api.schemas import operations as shapes

MOST = 100
"""SNS filters take so many values; an endpoint for each is not what this is for."""


def create_subscription(call: Call, new: shapes.NewSubscription) -> shapes.Subscription:
    """An endpoint that is told; bound to the sources that the caller sees."""
    if not all(call.caller.sees(source) for source in new.sources):
        raise Forbidden("your token is not for all of these sources")
    policy: dict[str, object] = {"type": list(new.types)}
    policy |= {"severity": list(new.severities)} if new.severities else {}
    sources: list[object] = list(new.sources) or [_prefix(pattern) for pattern in call.caller.sources]
    policy |= {"source": sources} if sources else {}
    ident = wiring.subscriptions().add(new.url, policy)
    return shapes.Subscription(subscription=ident or None, url=new.url, filter=policy)


def list_subscriptions(_: Call) -> shapes.Subscriptions:
    """Who is told."""
    found = [
        shapes.Subscription(subscription=ident or None, url=url)
        for ident, url in wiring.subscriptions().every()
    ]
    return shapes.Subscriptions(items=tuple(found[:MOST]))


def delete_subscription(call: Call) -> None:
    """Tell an endpoint nothing more."""
    ident = call.path["subscription"]
    if wiring.subscriptions().filter(ident) is None:
        raise NotFound
    wiring.subscriptions().remove(ident)


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
        problems=(Forbidden,),
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
