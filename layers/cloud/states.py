"""What triage, balance and reconcile remember, as plain rows and back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cloud.state import States, kept
from vigil.flow.migrate import Kept, Progress
from vigil.flow.reconcile import Walk
from vigil.steady.balance import Share
from vigil.steady.breaker import Breaker
from vigil.steady.degrade import Relief
from vigil.steady.fingerprint import Fingerprint
from vigil.steady.letters import Case
from vigil.steady.minute import Steady
from vigil.steady.reconcile import Census


class KeptCases:
    """Port Cases."""

    def __init__(self, states: States) -> None:
        self._states = states

    def load(self) -> Mapping[str, Case]:
        kept = self._states.get("triage") or {}
        return {ident: _case(row) for ident, row in kept.get("cases", {}).items()}

    def save(self, cases: Mapping[str, Case]) -> None:
        self._states.put("triage", {"cases": {ident: _plain(asdict(case)) for ident, case in cases.items()}})


def load_steady(states: States, begin: Callable[[], Steady]) -> Steady:
    """The balance function's memory."""
    row = states.get("steady")
    if row is None:
        return begin()
    breakers = {
        (one["lane"], one["dependency"]): Breaker(one["state"], _time(one["since"]), one["trips"])
        for one in row["breakers"]
    }
    relief = Relief(row["relief"]["level"], _time(row["relief"]["since"]))
    return Steady(_time(row["at"]), Share(**row["share"]), relief, breakers, row["backlogs"])


def save_steady(states: States, steady: Steady) -> None:
    breakers = [
        _plain({"lane": lane, "dependency": name, **asdict(one)})
        for (lane, name), one in steady.breakers.items()
    ]
    row = {"at": steady.at, "share": asdict(steady.share), "relief": _plain(asdict(steady.relief))}
    states.put("steady", _plain(row) | {"breakers": breakers, "backlogs": dict(steady.backlogs)})


def load_walk(states: States) -> Walk:
    """The reconcile function's memory."""
    row = states.get("reconcile")
    if row is None:
        return Walk()
    whole = Census(**row["whole"]) if row["whole"] else None
    return Walk(row["cursor"], Census(**row["so_far"]), whole, row["announced"], row.get("edition", ""))


def save_walk(states: States, walk: Walk) -> None:
    states.put("reconcile", asdict(walk))


def load_kept(states: States, model: str) -> Kept:
    """What the migrate function remembers of a model."""
    row = states.get(kept(model)) or {"spaces": {}, "progress": {}, "retired": {}}
    progress = {
        release: Progress(one["people"], tuple(one["without"]), one["left"])
        for release, one in row["progress"].items()
    }
    return Kept(row["spaces"], progress, row["retired"])


def save_kept(states: States, model: str, now: Kept) -> None:
    states.put(kept(model), asdict(now))


def _case(row: Mapping[str, Any]) -> Case:
    mark, seen, since = Fingerprint(**row["fingerprint"]), _time(row["seen"]), _time(row["since"])
    return Case(mark, seen, since, row["phase"], row["canary"], row["failures"])


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times as text."""
    return {name: thing.isoformat() if isinstance(thing, datetime) else thing for name, thing in row.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
