"""The rules: read, replace, evaluate on recent sightings."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from cloud.dynamodb.drops import SightingView
from functions.api.operation import Call, operation
from functions.api.pagination import Row
from functions.api.problems import Conflict, UnprocessableContent
from functions.api.schemas.alerts import (
    DryRunRequest,
    DryRunResult,
    NewRules,
    RuleDryRun,
    RuleOut,
    RulesHistory,
    RulesHistoryEntry,
    RulesHistoryQuery,
    RulesOut,
)
from functions.runtime.container import container
from vigil.alerts.dry_run import count_alerts
from vigil.alerts.rules import DEFAULT_RULES, InvalidRules, RuleSet, parse_rules
from vigil.drops.messages import Drop, InlinePayload
from vigil.inference.types import Prediction, Sighting, detect_values

MAX_DRY_RUN_ROWS = 5000
"""Rows of each kind that one dry run reads."""

_EXAMPLE = """[[rules]]
name = "watch-listed"
severity = "critical"
reviewers = 2
when = { tags = ["watch"] }
"""


@operation("GET", "/v1/rules", role="viewer", bound_tokens="allowed")
def get_rules(_: Call) -> RulesOut:
    """Get the current rules.

    `problem` says why stored rules are not valid; then each lane uses the last valid ones.
    """
    text = _current_rules()
    try:
        parsed, problem = parse_rules(text).rules, None
    except InvalidRules as error:
        parsed, problem = (), str(error)
    rules = [
        RuleOut(
            name=one.name,
            severity=one.severity,
            window_s=one.window_s,
            required_reviewers=one.reviewers,
        )
        for one in parsed
    ]
    return RulesOut(toml=text, version=_rules_version(text), rules=rules, problem=problem)


@operation(
    "PUT",
    "/v1/rules",
    role="operator",
    bound_tokens="refused",
    audited=True,
    example={"toml": _EXAMPLE},
    problems=(UnprocessableContent,),
)
def replace_rules(call: Call, new: NewRules) -> RulesOut:
    """Replace the rules.

    The new rules apply within seconds. Invalid rules are rejected.
    """
    _parse_rules(new.toml)
    if new.version is not None and new.version != _rules_version(_current_rules()):
        raise Conflict(f"the current version is not {new.version}")
    container().store.save_rules(
        new.toml, version=_rules_version(new.toml), caller=call.caller.id, now=datetime.now(UTC)
    )
    return get_rules(call)


@operation("GET", "/v1/rules/history", role="operator", bound_tokens="refused", example={"limit": 5})
def list_rules_history(_: Call, query: RulesHistoryQuery) -> RulesHistory:
    """List the rules that were put into force, newest first.

    To restore rules, replace the current ones by their text.
    """
    found = container().store.rules_history(query.limit)
    return RulesHistory(items=tuple(map(RulesHistoryEntry.model_validate, found)))


@operation(
    "POST",
    "/v1/rules/dry-run",
    role="operator",
    bound_tokens="limited",
    example={"toml": _EXAMPLE, "hours": 24},
    problems=(UnprocessableContent,),
)
def dry_run_rules(call: Call, request: DryRunRequest) -> DryRunResult:
    """Evaluate rules on recent sightings.

    The rules are not applied, and no alert is raised.
    """
    rule_set = _parse_rules(request.toml)
    since = datetime.now(UTC) - timedelta(hours=request.hours)
    reader = container().drop_reader
    sightings, is_complete = _visible(call, reader.list_sightings(since=since, page_size=1000), since)
    alerts, _ = _visible(call, reader.list_alerts(since=since, page_size=1000), since)
    current_alerts = Counter(alert.rule for alert in alerts)
    rules = [
        RuleDryRun(
            rule=name,
            sightings=count.sightings,
            alerts=len(count.min_alerts),
            max_alerts=len(count.max_alerts),
            current_alerts=current_alerts[name],
        )
        for name, count in count_alerts(map(_to_drop, sightings), rule_set).items()
    ]
    return DryRunResult(sightings=len(sightings), complete=is_complete, rules=rules)


def _to_drop(view: SightingView) -> tuple[Drop, Prediction]:
    """A drop with the one sighting; the number of the sighting is in its id."""
    sighting = Sighting(view.label, view.status, view.score, tags=view.tags)
    ident = f"{view.drop_id}-{view.number}"
    drop = Drop(ident, view.model, view.source, InlinePayload(b""), view.occurred_at)
    return drop, Prediction((sighting,), found=1)


def _visible(call: Call, rows: Iterator[Row], since: datetime) -> tuple[list[Row], bool]:
    """Of the newest rows, those since then whose source the caller may access; whether these are all."""
    newest = list(islice(rows, MAX_DRY_RUN_ROWS + 1))
    visible = [
        row
        for row in newest[:MAX_DRY_RUN_ROWS]
        if row.occurred_at >= since and call.caller.can_access_source(row.source)
    ]
    return visible, len(newest) <= MAX_DRY_RUN_ROWS


def _parse_rules(text: str) -> RuleSet:
    """The rules of a text. Raises UnprocessableContent, also if no deployed model gives them an effect."""
    try:
        rule_set = parse_rules(text)
    except InvalidRules as error:
        raise UnprocessableContent(str(error), reason="invalid-rules") from error
    for problem in _problems_with_models(rule_set):
        raise UnprocessableContent(f"rules.toml: {problem}", reason="invalid-rules")
    return rule_set


def _problems_with_models(rule_set: RuleSet) -> Iterator[str]:
    cards = container().model_cards
    for rule in rule_set.rules:
        for model in sorted((rule.when.models or frozenset()) - cards.keys()):
            yield f"rule {rule.name}: no model {model} is deployed; models: {', '.join(cards)}"
    yield from problems_with_detect(rule_set, cards["faces"].card if "faces" in cards else {})


def problems_with_detect(rule_set: RuleSet, faces_card: Mapping[str, Any]) -> Iterator[str]:
    """What sources demand of the detector that the card of the faces model does not offer."""
    allowed = detect_values(faces_card.get("detection", {}).get("inputs", {}))
    for name, source in rule_set.sources.items():
        if source.options.detect is not None and source.options.detect not in allowed:
            yield f"sources.{name}.options.detect: {source.options.detect}; allowed: {', '.join(allowed)}"


def _current_rules() -> str:
    return container().store.read_rules() or DEFAULT_RULES.read_text()


def _rules_version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
