"""The rules: read, replace, evaluate on recent sightings."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice

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


@operation("GET", "/v1/rules", role="viewer")
def get_rules(_: Call) -> RulesOut:
    """Get the current rules."""
    text = _current_rules()
    rules = [
        RuleOut(
            name=one.name,
            severity=one.severity,  # type: ignore[arg-type]  # parse_rules checks it
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
    all_sources=True,
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
    example={"toml": _EXAMPLE, "hours": 24},
    problems=(UnprocessableContent,),
)
def dry_run_rules(call: Call, request: DryRunRequest) -> DryRunResult:
    """Evaluate rules on recent sightings.

    The rules are not applied, and no alert is raised.
    """
    rule_set = _parse_rules(request.toml)
    now = datetime.now(UTC)
    rows = _recent_rows(call, "sightings", now, request.hours)
    sightings_by_rule: Counter[str] = Counter()
    alerts_by_rule: dict[str, set[str]] = {rule.name: set() for rule in rule_set.rules}
    for row in rows:
        for name, ident in _matching_rules(row, rule_set):
            sightings_by_rule[name] += 1
            alerts_by_rule[name].add(ident)
    current_alerts = Counter(row["rule"] for row in _recent_rows(call, "alerts", now, request.hours))
    rules = [
        RuleDryRun(
            rule=name, sightings=sightings_by_rule[name], alerts=len(ids), current_alerts=current_alerts[name]
        )
        for name, ids in alerts_by_rule.items()
    ]
    return DryRunResult(sightings=len(rows), rules=rules)


def _matching_rules(row: Row, rule_set: RuleSet) -> list[tuple[str, str]]:
    """Name and alert id of each rule that matches a stored sighting."""
    sighting = Sighting(row["label"], row["status"], row.get("score"), tags=frozenset(row.get("tags", ())))
    at = datetime.fromisoformat(row["occurred_at"])
    drop = Drop(row["drop_id"], row["model"], row["source"], InlinePayload(b""), at)
    source = rule_set.source_settings(drop.source)
    return [
        (rule.name, create_alert(rule, drop, 0, subject=sighting.label, status=sighting.status).id)
        for rule in rule_set.rules
        if rule.matches(sighting, model=drop.model, source=source, at=at)
    ]


def _recent_rows(call: Call, kind: str, now: datetime, hours: int) -> list[Row]:
    """The newest rows of a kind that the caller can access, at most MAX_DRY_RUN_ROWS."""
    oldest = now - timedelta(hours=hours)
    rows = container().drop_reader.list_rows(kind, since=oldest, before="", page_size=1000)
    visible = (row for row in islice(rows, MAX_DRY_RUN_ROWS) if call.caller.can_access_source(row["source"]))
    return [row for row in visible if datetime.fromisoformat(row["occurred_at"]) >= oldest]


def _parse_rules(text: str) -> RuleSet:
    try:
        return parse_rules(text)
    except InvalidRules as error:
        raise UnprocessableContent(str(error), reason="invalid-rules") from error


def _current_rules() -> str:
    return container().store.read_rules() or DEFAULT_RULES.read_text()


def _rules_version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
