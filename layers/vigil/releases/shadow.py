"""Compares the outputs of a candidate with those of the active release on the same drop."""

from dataclasses import dataclass

from vigil.drops.messages import Drop
from vigil.drops.prediction import ReleaseOutput, ReleaseOutputs
from vigil.releases.health import HealthSample


@dataclass(frozen=True, slots=True)
class ShadowComparison:
    """A candidate's output on a drop beside the active release's; or that the active release alone failed.

    release             the candidate
    agreed              both found the same subjects
    nothing_recognised  the candidate recognised nothing in the drop
    """

    model: str
    release: str
    drop_id: str
    agreed: bool
    failed: bool
    failed_active: bool
    latency_ms: float
    latency_ms_active: float
    nothing_recognised: bool = False


def comparison_of(drop: Drop, outputs: ReleaseOutputs) -> ShadowComparison | None:
    """How the candidate did beside the active release; None if a single release ran without failure."""
    if outputs.secondary is None and outputs.primary.prediction is not None:
        return None
    primary, secondary = outputs.primary, outputs.secondary or ReleaseOutput("", 0.0, None)
    is_shadow = outputs.candidate != "" and secondary.release == outputs.candidate
    candidate, active = (secondary, primary) if is_shadow else (primary, secondary)
    return ShadowComparison(
        model=drop.model,
        release=candidate.release,
        drop_id=drop.id,
        agreed=_same_subjects(candidate, active),
        failed=candidate.prediction is None,
        failed_active=active.prediction is None,
        latency_ms=candidate.latency_ms,
        latency_ms_active=active.latency_ms,
        nothing_recognised=_nothing_recognised(candidate),
    )


def health_sample_of(drop: Drop, outputs: ReleaseOutputs) -> HealthSample | None:
    """How the active release did; None if a candidate was the primary release."""
    output = outputs.primary
    if output.release == outputs.candidate:
        return None
    return HealthSample(
        drop.model,
        output.release,
        output.latency_ms,
        failed=output.prediction is None,
        nothing_recognised=_nothing_recognised(output),
    )


def _nothing_recognised(output: ReleaseOutput) -> bool:
    return output.prediction is not None and all(one.status != "known" for one in output.prediction.sightings)


def _same_subjects(first: ReleaseOutput, second: ReleaseOutput) -> bool:
    """The same subjects in any order."""
    if first.prediction is None or second.prediction is None:
        return False
    return sorted(one.label for one in first.prediction.sightings) == sorted(
        one.label for one in second.prediction.sightings
    )
