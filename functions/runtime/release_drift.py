"""Whether active releases see what they were proven on: measured at each tick, told as metrics."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from cloud.cloudwatch import ReleaseMetrics
from cloud.dynamodb.counters import sketch_from_row, sketch_to_row
from functions.runtime.container import container
from vigil.releases.drift import (
    DriftPolicy,
    DriftResult,
    OutputSketch,
    default_drift_policy,
    measure_drift,
)
from vigil.reliability.time_scale import scale_durations

BASELINE_FACTOR = 2
"""A release that nobody examined here is held against what it saw first: so many times `least` sightings."""


def drift_policy() -> DriftPolicy:
    """In drills, an hour is as long as their minutes."""
    return scale_durations(default_drift_policy(), container().settings.minute)


def measure_all_drift() -> Mapping[str, DriftResult]:
    """How far each model's active release has drifted, of those that say enough; told as metrics."""
    drift_by_release = dict(_measured_releases())
    gauges = ReleaseMetrics(container().settings.metrics_namespace, "drift")
    for (model, release), one in drift_by_release.items():
        values = {f"Drift{name.capitalize()}": [round(ratio, 4)] for name, ratio in one.ratios.items()}
        gauges.emit(model, release, values | {"Drift": [round(max(one.ratios.values()), 4)]})
        if one.exceeded:
            fields = {"model": model, "release": release, "moved": one.exceeded, "ratios": one.ratios}
            container().logger.warning("drift-detected", extra=fields)
    return {model: one for (model, _), one in drift_by_release.items()}


def drift_started_at(model: str, drift: DriftResult) -> datetime | None:
    """Since when a model has been seen to drift; None while it does not."""
    stored = (container().state_store.get(f"drift#{model}") or {}).get("since", "")
    since = (stored or container().clock().isoformat()) if drift.exceeded else ""
    if since != stored:
        container().state_store.put(f"drift#{model}", {"since": since})
    return datetime.fromisoformat(since) if since else None


def save_reference(model: str, release: str, reference: OutputSketch) -> None:
    """What a release is held against from now on."""
    container().state_store.put(_reference_key(model, release), sketch_to_row(reference))


def _measured_releases() -> Iterator[tuple[tuple[str, str], DriftResult]]:
    for model, release in container().output_sketches.known_releases():
        active = container().releases.read_releases(
            model
        ).pointers.active or container().candidate_releases.bundled_release_id(model)
        if release == active:
            window = container().output_sketches.sum_since(
                model, release, container().clock() - drift_policy().window
            )
            reference = _reference_sketch(model, release, window)
            one = measure_drift(window, reference, drift_policy()) if reference else None
            if one is not None:
                yield (model, release), one


def _reference_sketch(model: str, release: str, window: OutputSketch) -> OutputSketch | None:
    """Of the release's evaluation; of one that came with the deployment, what it saw first."""
    stored = sketch_from_row(container().state_store.get(_reference_key(model, release)) or {})
    if stored.items >= drift_policy().min_items:
        return stored
    if window.items >= BASELINE_FACTOR * drift_policy().min_items:
        save_reference(model, release, window)
    return None


def _reference_key(model: str, release: str) -> str:
    return f"drift_reference#{model}#{release}"
