"""The watch file: in force, replaced, tried on what was seen."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice

from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.paging import Row
from functions.api.problems import Conflict, Refused
from functions.api.schemas import alerts as shapes
from vigil.drops import Drop, Inline
from vigil.seeing import Sighting
from vigil.watch.alerts import alert
from vigil.watch.rules import DEFAULT, BadWatchFile, Watch, read_watch

MOST_ROWS = 5000
"""Of a kind, that one dry run looks at."""


def get_rules(_: Call) -> shapes.Rules:
    """The watch file in force."""
    text = _text()
    rules = [
        shapes.Rule(name=one.name, severity=one.severity, window_s=one.window_s, reviewers=one.reviewers)  # type: ignore[arg-type]  # read_watch checks it
        for one in read_watch(text).rules
    ]
    return shapes.Rules(toml=text, version=_version(text), rules=rules)


def replace_rules(call: Call, new: shapes.NewRules) -> shapes.Rules:
    """Another watch file in force, within seconds, if it can be meant."""
    _read(new.toml)
    if new.version is not None and new.version != _version(_text()):
        raise Conflict("the watch file has changed since that version")
    wiring.store().put_watch(new.toml)
    return get_rules(call)


def try_rules(call: Call, tried: shapes.TryRules) -> shapes.DryRun:
    """What a watch file would have raised from what was seen of late, without putting it in force."""
    watch = _read(tried.toml)
    now = datetime.now(UTC)
    rows = _seen(call, "sightings", now, tried.hours)
    picked: Counter[str] = Counter()
    raised: dict[str, set[str]] = {rule.name: set() for rule in watch.rules}
    for row in rows:
        for name, ident in _picked(row, watch):
            picked[name] += 1
            raised[name].add(ident)
    told = Counter(row["rule"] for row in _seen(call, "alerts", now, tried.hours))
    rules = [
        shapes.Tried(rule=name, sightings=picked[name], alerts=len(ids), now=told[name])
        for name, ids in raised.items()
    ]
    return shapes.DryRun(sightings=len(rows), rules=rules)


def _picked(row: Row, watch: Watch) -> list[tuple[str, str]]:
    """(rule, alert id) of each rule that picks a stored sighting."""
    sighting = Sighting(row["label"], row["status"], row.get("score"), tags=frozenset(row.get("tags", ())))
    at = datetime.fromisoformat(row["happened_at"])
    drop = Drop(row["drop_id"], row["model"], row["taken_from"], Inline(b""), at)
    source = watch.source(drop.source)
    return [
        (rule.name, alert(rule, drop, 0, subject=sighting.label, status=sighting.status).id)
        for rule in watch.rules
        if rule.picks(sighting, model=drop.model, source=source, at=at)
    ]


def _seen(call: Call, kind: str, now: datetime, hours: int) -> list[Row]:
    """The newest rows of a kind that are the caller's to see."""
    oldest = now - timedelta(hours=hours)
    rows = wiring.records().listed(kind, since=oldest, before="", at_once=1000)
    theirs = (row for row in islice(rows, MOST_ROWS) if call.caller.sees(row["taken_from"]))
    return [row for row in theirs if datetime.fromisoformat(row["happened_at"]) >= oldest]


def _read(text: str) -> Watch:
    try:
        return read_watch(text)
    except BadWatchFile as error:
        raise Refused(str(error), reason="bad-watch-file") from error


def _text() -> str:
    return wiring.store().watch() or DEFAULT.read_text()


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_EXAMPLE = """[[rules]]
name = "watch-listed"
severity = "critical"
reviewers = 2
when = { tags = ["watch"] }
"""

OPERATIONS = (
    Operation(
        "GET",
        "/v1/rules",
        name="get-rules",
        summary="The watch file in force",
        serve=get_rules,
        answers=shapes.Rules,
    ),
    Operation(
        "PUT",
        "/v1/rules",
        name="replace-rules",
        summary="Put another watch file in force",
        serve=replace_rules,
        role="operator",
        everywhere=True,
        takes=shapes.NewRules,
        answers=shapes.Rules,
        audited=True,
        example={"toml": _EXAMPLE},
        problems=(Conflict, Refused),
    ),
    Operation(
        "POST",
        "/v1/rules/dry-run",
        name="try-rules",
        summary="What a watch file would have raised",
        serve=try_rules,
        role="operator",
        takes=shapes.TryRules,
        answers=shapes.DryRun,
        example={"toml": _EXAMPLE, "hours": 24},
        problems=(Refused,),
    ),
)
