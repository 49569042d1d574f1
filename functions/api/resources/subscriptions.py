"""Webhooks: HTTPS subscriptions to the SNS topic, limited to the sources of the subscriber."""

from collections.abc import Sequence
from itertools import islice
from math import prod
from typing import Any

from cloud.sns import SubscriptionPending
from functions.api.operation import Call, operation
from functions.api.problems import Conflict, Forbidden, NotFound, UnprocessableContent
from functions.api.schemas.subscriptions import NewSubscription, SubscriptionList, SubscriptionOut
from functions.runtime.container import container

MAX_LISTED = 100
"""Subscriptions that a list contains at most."""

MAX_FILTER_COMBINATIONS = 150
"""Limit of SNS for a filter: the product of the numbers of values."""

NO_SEVERITY = {"exists": False}
"""Lets events of drops pass a filter by severity, which they do not have."""


@operation(
    "POST",
    "/v1/subscriptions",
    role="operator",
    bound_tokens="limited",
    status=201,
    audited=True,
    problems=(UnprocessableContent,),
)
def create_subscription(call: Call, new: NewSubscription) -> SubscriptionOut:
    """Subscribe an HTTPS endpoint to events.

    The subscription is limited to the sources that the caller may access. The endpoint must confirm it.
    """
    if not all(call.caller.can_access_source(source) for source in new.sources):
        raise Forbidden("the token cannot access all of these sources")
    policy = _filter_policy(new, new.sources or [_source_filter(one) for one in call.caller.sources or ()])
    ident = container().subscriptions.add(new.url, policy, owner=call.caller.id)
    return SubscriptionOut(id=ident, url=new.url, filter=policy)


@operation("GET", "/v1/subscriptions", role="operator", bound_tokens="limited")
def list_subscriptions(call: Call) -> SubscriptionList:
    """List subscriptions.

    Callers see their own subscriptions; admins whose token is not limited to sources also see all confirmed
    ones.
    """
    store = container().subscriptions
    others = (ident for ident, _ in store.list_all() if ident) if _manages_all(call) else ()
    idents = dict.fromkeys([*sorted(store.owned_by(call.caller.id)), *others])
    found = (_find_subscription(ident) for ident in idents)
    return SubscriptionList(items=tuple(islice((one for one in found if one), MAX_LISTED)))


@operation("GET", "/v1/subscriptions/{subscription}", role="operator", bound_tokens="limited")
def get_subscription(call: Call) -> SubscriptionOut:
    """Get a subscription with its filter."""
    return _owned_subscription(call)


@operation(
    "DELETE",
    "/v1/subscriptions/{subscription}",
    role="operator",
    bound_tokens="limited",
    status=204,
    audited=True,
    problems=(Conflict,),
)
def delete_subscription(call: Call) -> None:
    """Delete a subscription.

    A subscription that its endpoint has not confirmed cannot be deleted: it ends by itself after two days.
    """
    _owned_subscription(call)
    try:
        container().subscriptions.remove(call.path["subscription"], owner=call.caller.id)
    except SubscriptionPending as error:
        raise Conflict(
            "the endpoint has not confirmed the subscription: it ends by itself after two days,"
            " or confirm it and delete it then",
            reason="not-confirmed",
        ) from error


def _owned_subscription(call: Call) -> SubscriptionOut:
    """A subscription of the caller, or any subscription for an admin of all sources. Raises NotFound."""
    ident = call.path["subscription"]
    if not _manages_all(call) and ident not in container().subscriptions.owned_by(call.caller.id):
        raise NotFound
    subscription = _find_subscription(ident)
    if subscription is None:
        raise NotFound
    return subscription


def _manages_all(call: Call) -> bool:
    return call.caller.has_role("admin") and not call.caller.is_bound


def _find_subscription(ident: str) -> SubscriptionOut | None:
    """None if it does not exist; SNS deletes subscriptions that are not confirmed."""
    found = container().subscriptions.get(ident)
    return None if found is None else SubscriptionOut(id=ident, url=found[0], filter=found[1])


def _filter_policy(new: NewSubscription, sources: Sequence[object]) -> dict[str, list[Any]]:
    """The SNS filter policy. Raises UnprocessableContent if it has more combinations than SNS allows."""
    severities: list[Any] = [*dict.fromkeys(new.severities)]
    if severities and set(new.types) != {"vigil.alert.raised"}:
        severities.append(NO_SEVERITY)
    values_by_name = {"type": [*dict.fromkeys(new.types)], "severity": severities, "source": list(sources)}
    policy = {name: values for name, values in values_by_name.items() if values}
    if prod(map(len, policy.values())) > MAX_FILTER_COMBINATIONS:
        raise UnprocessableContent(
            f"types, severities and sources have more than {MAX_FILTER_COMBINATIONS} combinations:"
            " create several subscriptions",
            reason="too-many-combinations",
        )
    return policy


def _source_filter(pattern: str) -> object:
    """A source pattern as an SNS filter value. Raises Forbidden if SNS cannot filter by it."""
    plain = pattern.rstrip("*")
    if any(character in plain for character in "*?[") or len(pattern) - len(plain) > 1:
        raise Forbidden("list the sources: SNS cannot filter by the source patterns of the token")
    return plain if plain == pattern else {"prefix": plain}
