"""EventBridge: rules with a pattern or a schedule, and the targets they reach."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local import patterns
from infra.local.destinations import Destinations
from infra.local.identities import Place


@dataclass(frozen=True, slots=True)
class Target:
    """Who gets the event: all of it, the part at `path`, or the constant `text` instead."""

    arn: str
    text: str | None = None
    path: str | None = None

    def input(self, event: Mapping[str, Any]) -> str:
        """What is delivered for this event."""
        if self.text is not None:
            return self.text
        part: Any = event
        for key in (self.path or "$").split(".")[1:]:
            part = part.get(key) if isinstance(part, Mapping) else None
        return json.dumps(part)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; disabled ones are left out before."""

    arn: str
    bus: str
    targets: Sequence[Target]
    pattern: Mapping[str, Any] | None = None
    schedule: str | None = None


class Buses:
    """Gives events to the rules of their bus."""

    def __init__(self, rules: Iterable[Rule], *, destinations: Destinations, place: Place) -> None:
        self.rules = tuple(rules)
        self._destinations = destinations
        self._place = place

    def put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """One entry of PutEvents → its id, or why it is not taken."""
        for key in ("Source", "DetailType", "Detail"):
            if not entry.get(key):
                return _refused(
                    "InvalidArgument", f"Parameter {key} is not valid. Reason: {key} is required."
                )
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return _refused("MalformedDetail", "Detail is malformed.")
        event = self.event(entry["Source"], entry["DetailType"], detail, resources=entry.get("Resources", []))
        self.emit(event, entry.get("EventBusName", "default").split("/")[-1])
        return {"EventId": event["id"]}

    def event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], *, resources: Sequence[str]
    ) -> dict[str, Any]:
        """An event in EventBridge's envelope."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._place.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._place.region,
            "resources": list(resources),
            "detail": detail,
        }

    def emit(self, event: Mapping[str, Any], bus: str = "default") -> None:
        """Deliver an event to every rule that matches it."""
        for rule in self.rules:
            if rule.bus == bus and rule.pattern is not None and patterns.matches(rule.pattern, event):
                self.deliver(rule, event)

    def send(self, arn: str, document: Mapping[str, Any]) -> None:
        """Let an AWS service send a document straight to a topic, queue or function."""
        self._destinations.send(arn, document)

    def tick(self, rule: Rule) -> None:
        """Deliver the event of a schedule."""
        self.deliver(rule, self.event("aws.events", "Scheduled Event", {}, resources=[rule.arn]))

    def deliver(self, rule: Rule, event: Mapping[str, Any]) -> None:
        """Give an event to all targets of a rule."""
        for target in rule.targets:
            self._destinations.deliver(target.arn, target.input(event))


def _refused(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}
