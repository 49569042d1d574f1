"""Webhooks: who is told of what happens, over HTTPS by SNS, and of no more than they may see."""

from collections.abc import Sequence
from itertools import islice
from math import prod
from typing import Any

from functions.api.operation import Call, operation
from functions.api.problems import Forbidden, NotFound, UnprocessableContent
from functions.api.schemas.lanes import NewSubscription, SubscriptionList, SubscriptionOut
from functions.runtime.container import container

MAX_LISTED = 100
"""SNS filters take so many values; an endpoint for each is not what this is for."""

MAX_FILTER_COMBINATIONS = 150
"""What SNS takes of a filter: the numbers of values, multiplied."""

NO_SEVERITY = {"exists": False}
"""Drops have no severity; a filter by it is about alerts."""


@operation(
    "POST",
    "/v1/subscriptions",
    role="operator",
    status=201,
    audited=True,
    problems=(Forbidden, UnprocessableContent),
)
def create_subscription(call: Call, new: NewSubscription) -> SubscriptionOut:
    """Subscribe an HTTPS endpoint to events.

    The subscription is limited to the sources that the caller may access. The endpoint must confirm it.
    """
    if not all(call.caller.can_access_source(source) for source in new.sources):
        raise Forbidden("your token is not for all of these sources")
    policy = _filter_policy(new, new.sources or [_source_filter(pattern) for pattern in call.caller.sources])
    ident = container().subscriptions.add(new.url, policy, owner=call.caller.id)
    return SubscriptionOut(id=ident, url=new.url, filter=policy)


@operation("GET", "/v1/subscriptions", role="operator")
def list_subscriptions(call: Call) -> SubscriptionList:
    """List subscriptions.

    Callers see their own subscriptions; admins also see all confirmed ones.
    """
    store = container().subscriptions
    others = (ident for ident, _ in store.list_all() if ident) if call.caller.has_role("admin") else ()
    idents = dict.fromkeys([*sorted(store.owned_by(call.caller.id)), *others])
    found = (_find_subscription(ident) for ident in idents)
    return SubscriptionList(items=tuple(islice((one for one in found if one), MAX_LISTED)))


@operation("GET", "/v1/subscriptions/{subscription}", role="operator", problems=(NotFound,))
def get_subscription(call: Call) -> SubscriptionOut:
    """Get a subscription with its filter."""
    return _owned_subscription(call)


@operation(
    "DELETE",
    "/v1/subscriptions/{subscription}",
    role="operator",
    status=204,
    audited=True,
    problems=(NotFound,),
)
def delete_subscription(call: Call) -> None:
    """Delete a subscription."""
    _owned_subscription(call)
    container().subscriptions.remove(call.path["subscription"], owner=call.caller.id)


def _owned_subscription(call: Call) -> SubscriptionOut:
    """A subscription that the caller made; an admin may deal with anybody's. Raises NotFound."""
    ident = call.path["subscription"]
    if not call.caller.has_role("admin") and ident not in container().subscriptions.owned_by(call.caller.id):
        raise NotFound
    subscription = _find_subscription(ident)
    if subscription is None:
        raise NotFound
    return subscription


def _find_subscription(ident: str) -> SubscriptionOut | None:
    """None where it is gone: one that nobody confirms ends by itself."""
    found = container().subscriptions.get(ident)
    return None if found is None else SubscriptionOut(id=ident, url=found[0], filter=found[1])


def _filter_policy(new: NewSubscription, sources: Sequence[object]) -> dict[str, list[Any]]:
    """SNS's filter. Raises Refused where it has more combinations than SNS takes."""
    severities: list[Any] = [*dict.fromkeys(new.severities)]
    if severities and set(new.types) != {"vigil.alert.raised"}:
        severities.append(NO_SEVERITY)
    values_by_name = {"type": [*dict.fromkeys(new.types)], "severity": severities, "source": list(sources)}
    policy = {name: values for name, values in values_by_name.items() if values}
    if prod(map(len, policy.values())) > MAX_FILTER_COMBINATIONS:
        raise UnprocessableContent(
            f"types, severities and sources multiply to more than {MAX_FILTER_COMBINATIONS}:"
            " make several subscriptions",
            reason="too-many-combinations",
        )
    return policy


def _source_filter(pattern: str) -> object:
    """A pattern of sources as SNS can filter by it. Raises Forbidden for one that it cannot."""
    plain = pattern.rstrip("*")
    if any(mark in plain for mark in "*?[") or len(pattern) - len(plain) > 1:
        raise Forbidden("name the sources: your token's patterns cannot be made a filter")
    return plain if plain == pattern else {"prefix": plain}
