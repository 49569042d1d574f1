"""The rules: read, replace, evaluate on recent sightings."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from cloud.dynamodb.drops import SightingView
from functions.api.operation import Call, operation
from functions.api.pagination import Row
from functions.api.problems import Conflict, UnprocessableContent
from functions.api.schemas.alerts import DryRunRequest, DryRunResult, NewRules, RuleDryRun, RuleOut, RulesOut
from functions.runtime.container import container
from vigil.alerts.alert import create_alert
from vigil.alerts.rules import DEFAULT_RULES, InvalidRules, RuleSet, parse_rules
from vigil.drops.messages import Drop, InlinePayload
from vigil.inference.types import Sighting

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
    """Get the current rules."""
    text = _current_rules()
    rules = [
        RuleOut(
            name=one.name,
            severity=one.severity,
            window_s=one.window_s,
            required_reviewers=one.reviewers,
        )
        for one in parse_rules(text).rules
    ]
    return RulesOut(toml=text, version=_rules_version(text), rules=rules)


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
    container().store.save_rules(new.toml)
    return get_rules(call)


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
    sightings = _visible(call, container().drop_reader.list_sightings(since=since, page_size=1000), since)
    sightings_by_rule: Counter[str] = Counter()
    alerts_by_rule: dict[str, set[str]] = {rule.name: set() for rule in rule_set.rules}
    for view in sightings:
        for name, ident in _matching_rules(view, rule_set):
            sightings_by_rule[name] += 1
            alerts_by_rule[name].add(ident)
    alerts = _visible(call, container().drop_reader.list_alerts(since=since, page_size=1000), since)
    current_alerts = Counter(alert.rule for alert in alerts)
    rules = [
        RuleDryRun(
            rule=name, sightings=sightings_by_rule[name], alerts=len(ids), current_alerts=current_alerts[name]
        )
        for name, ids in alerts_by_rule.items()
    ]
    return DryRunResult(sightings=len(sightings), rules=rules)


def _matching_rules(view: SightingView, rule_set: RuleSet) -> list[tuple[str, str]]:
    """(rule, alert id) of each rule that matches a stored sighting."""
    sighting = Sighting(view.label, view.status, view.score, tags=view.tags)
    drop = Drop(view.drop_id, view.model, view.source, InlinePayload(b""), view.occurred_at)
    source = rule_set.source_settings(drop.source)
    return [
        (rule.name, create_alert(rule, drop, 0, subject=sighting.label, status=sighting.status).id)
        for rule in rule_set.rules
        if rule.matches(sighting, model=drop.model, source=source, at=drop.occurred_at)
    ]


def _visible(call: Call, rows: Iterator[Row], since: datetime) -> list[Row]:
    """Of the newest rows, those that occurred since then and whose source the caller may access."""
    newest = islice(rows, MAX_DRY_RUN_ROWS)
    return [row for row in newest if row.occurred_at >= since and call.caller.can_access_source(row.source)]


def _parse_rules(text: str) -> RuleSet:
    try:
        return parse_rules(text)
    except InvalidRules as error:
        raise UnprocessableContent(str(error), reason="invalid-rules") from error


def _current_rules() -> str:
    return container().store.read_rules() or DEFAULT_RULES.read_text()


def _rules_version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
