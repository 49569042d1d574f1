"""Whether active releases see what they were proven on: measured at each tick, told as metrics."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache

from cloud.metrics import ReleaseGauges
from cloud.sketches import DynamoSketches, read, written
from functions.learning import examination, logger, now, registry, states
from functions.settings import settings
from functions.wiring import client
from vigil.learn.drift import Drift, Terms, default_terms, drift
from vigil.learn.sketch import Sketch
from vigil.steady.haste import hastened

FIRST = 2
"""A release that nobody examined here is held against what it saw first: so many times `least` sightings."""


@cache
def terms() -> Terms:
    """In drills, an hour is as long as their minutes."""
    return hastened(default_terms(), settings().minute)


@cache
def sketches() -> DynamoSketches:
    return DynamoSketches(client("dynamodb"), settings().records_table)


def measured() -> Mapping[str, Drift]:
    """How far each model's active release has drifted, of those that say enough; told as metrics."""
    found = dict(_found())
    gauges = ReleaseGauges(settings().metrics_namespace, "drift")
    for (model, release), one in found.items():
        told = {f"Drift{name.capitalize()}": [round(ratio, 4)] for name, ratio in one.ratios.items()}
        gauges.tell(model, release, told | {"Drift": [round(max(one.ratios.values()), 4)]})
        if one.moved:
            fields = {"model": model, "release": release, "moved": one.moved, "ratios": one.ratios}
            logger().warning("drifted", extra=fields)
    return {model: one for (model, _), one in found.items()}


def began(model: str, one: Drift) -> datetime | None:
    """Since when a model has been seen to drift; None while it does not."""
    told = (states().get(f"drifted#{model}") or {}).get("since", "")
    since = (told or now().isoformat()) if one.moved else ""
    if since != told:
        states().put(f"drifted#{model}", {"since": since})
    return datetime.fromisoformat(since) if since else None


def remember(model: str, release: str, reference: Sketch) -> None:
    """What a release is held against from now on."""
    states().put(_name(model, release), written(reference))


def _found() -> Iterator[tuple[tuple[str, str], Drift]]:
    for model, release in sketches().known():
        active = registry().lives.book(model).pointers.active or examination().bundled(model)
        if release == active:
            window = sketches().since(model, release, now() - terms().window)
            reference = _reference(model, release, window)
            one = drift(window, reference, terms()) if reference else None
            if one is not None:
                yield (model, release), one


def _reference(model: str, release: str, window: Sketch) -> Sketch | None:
    """Of the release's evaluation; of one that came with the deployment, what it saw first."""
    told = read(states().get(_name(model, release)) or {})
    if told.items >= terms().least:
        return told
    if window.items >= FIRST * terms().least:
        remember(model, release, window)
    return None


def _name(model: str, release: str) -> str:
    return f"reference#{model}#{release}"
