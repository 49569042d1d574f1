"""Quality of an embedding: every probe of a dataset is searched in a gallery (ISO/IEC 19795-1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import Figures, FiguresBySlice, slice_indices
from vigil.inference.evaluation import Resampling, Slices, bootstrap
from vigil.statistics import Interval

FPIRS = (0.01, 0.001)
UNENROLLED_ONE_IN = 3
"""One in this many people is not enrolled."""

NO_RESAMPLING = Resampling(rounds=1)


@dataclass(frozen=True, slots=True, eq=False)
class SearchScores:
    """The result of searching the gallery with each probe.

    mated     (P,) float64: the best score of the probe's own subject; -inf if it is not enrolled
    nonmated  (P,) float64: the best score of any other subject; -inf if there is none
    subjects  the subject of each probe
    """

    mated: NDArray[np.float64]
    nonmated: NDArray[np.float64]
    subjects: tuple[str, ...]

    def subset(self, indices: NDArray[np.int64]) -> "SearchScores":
        """The probes at these indices."""
        return SearchScores(
            self.mated[indices], self.nonmated[indices], tuple(self.subjects[n] for n in indices)
        )

    @property
    def is_enrolled(self) -> NDArray[np.bool_]:
        return np.isfinite(self.mated)


@dataclass(frozen=True, slots=True)
class FnirAtFpir:
    """False negative identification rate at the threshold of a given false positive identification rate.

    is_resolved  whether there are enough unenrolled probes (1 / fpir) to measure this FPIR
    """

    fpir: float
    threshold: float
    fnir: Interval
    is_resolved: bool


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationEvaluation:
    """Quality of an embedding, measured by searching a gallery."""

    probes: int
    rank_one: Interval
    miss_rates: tuple[FnirAtFpir, ...]
    slices: FiguresBySlice


def evaluate_identification(
    searches: SearchScores,
    slices: Slices,
    resampling: Resampling | None = None,
    *,
    fpirs: Sequence[float] = FPIRS,
) -> IdentificationEvaluation:
    """Rank-1 rate and FNIR at each FPIR; each slice has a threshold from its own unenrolled probes."""
    return IdentificationEvaluation(
        probes=len(searches.subjects),
        rank_one=rank_one_rate(searches, resampling),
        miss_rates=tuple(fnir_at_fpir(searches, fpir, resampling) for fpir in fpirs),
        slices={
            name: {
                value: _slice_figures(searches.subset(items), resampling)
                for value, items in slice_indices(values).items()
            }
            for name, values in slices.items()
        },
    )


def search_split(vectors: NDArray[np.float32], subjects: Sequence[str]) -> SearchScores:
    """Enrol some people with their first vector and search with every other vector.

    vectors  (N, D) float32, of any length
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    templates, probes = template_indices(subjects), probe_indices(subjects)
    return search_scores(
        (unit[probes] @ unit[templates].T).astype(np.float32),
        probes=[subjects[n] for n in probes],
        templates=[subjects[n] for n in templates],
    )


def template_indices(subjects: Sequence[str]) -> list[int]:
    """The first vector of each enrolled person."""
    first: dict[str, int] = {}
    for n, person in enumerate(subjects):
        if not _is_unenrolled(person):
            first.setdefault(person, n)
    return list(first.values())


def probe_indices(subjects: Sequence[str]) -> list[int]:
    """All other vectors."""
    templates = set(template_indices(subjects))
    return [n for n in range(len(subjects)) if n not in templates]


def identification_rate(searches: SearchScores, fpirs: Sequence[float] = (0.1, 0.01)) -> float:
    """The share of enrolled probes that are identified, averaged over these FPIRs."""
    return float(np.mean([1 - fnir_at_fpir(searches, fpir, NO_RESAMPLING).fnir.value for fpir in fpirs]))


FALSE_MATCH_RATES = tuple(
    round(digit * 10.0**-power, power) for power in range(1, 7) for digit in (5, 3, 2, 1)
)
"""The rates of a calibration, falling."""

MIN_FALSE_MATCHES = 10
"""Fewer pairs above a score do not measure its rate."""


def impostor_scores(
    vectors: NDArray[np.float32], subjects: Sequence[str]
) -> tuple[list[float], list[float], int]:
    """Falling false match rates that enough pairs resolve, the cosine of each, and the number of pairs."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    names = np.asarray(subjects)
    one, other = np.triu_indices(len(names), 1)
    cosine = np.sort((unit @ unit.T)[one, other][names[one] != names[other]])
    rates = [rate for rate in FALSE_MATCH_RATES if rate * len(cosine) >= MIN_FALSE_MATCHES]
    return rates, [round(float(np.quantile(cosine, 1 - rate)), 4) for rate in rates], len(cosine)


def search_scores(
    scores: NDArray[np.float32], *, probes: Sequence[str], templates: Sequence[str]
) -> SearchScores:
    """Reduce (P, T) similarities of probes and templates to two scores for each probe."""
    is_mated = np.asarray(probes)[:, np.newaxis] == np.asarray(templates)[np.newaxis, :]
    exact = scores.astype(np.float64)
    mated = np.where(is_mated, exact, -np.inf).max(axis=1, initial=-np.inf)
    nonmated = np.where(is_mated, -np.inf, exact).max(axis=1, initial=-np.inf)
    return SearchScores(mated, nonmated, tuple(probes))


def rank_one_rate(searches: SearchScores, resampling: Resampling | None = None) -> Interval:
    """The share of enrolled probes whose own subject has the best score, whatever that score is."""
    return _enrolled_share(searches, searches.mated > searches.nonmated, resampling)


def fnir_at_fpir(searches: SearchScores, fpir: float, resampling: Resampling | None = None) -> FnirAtFpir:
    """FNIR at the lowest threshold that at most the share `fpir` of unenrolled probes reach.

    An enrolled probe is identified if its own subject has the best score and that score reaches the
    threshold. The interval is over enrolled subjects; the threshold is not resampled.
    """
    nonmated = np.sort(searches.nonmated[~searches.is_enrolled])[::-1]
    threshold = _threshold_at_fpir(nonmated, fpir)
    is_missed = ~((searches.mated > searches.nonmated) & (searches.mated >= threshold))
    fnir = _enrolled_share(searches, is_missed, resampling)
    return FnirAtFpir(fpir, threshold, fnir, is_resolved=len(nonmated) * fpir >= 1)


def _is_unenrolled(subject: str) -> bool:
    return hashlib.sha256(subject.encode()).digest()[0] % UNENROLLED_ONE_IN == 0


def _enrolled_share(
    searches: SearchScores, condition: NDArray[np.bool_], resampling: Resampling | None
) -> Interval:
    """The share of enrolled probes that meet a condition; resampled by subject."""
    enrolled = np.flatnonzero(searches.is_enrolled)
    selected, groups = condition[enrolled], [searches.subjects[n] for n in enrolled]
    return bootstrap(
        lambda items: _mean_or_nan(selected[items]), len(enrolled), groups=groups, resampling=resampling
    )


def _threshold_at_fpir(nonmated: NDArray[np.float64], fpir: float) -> float:
    """Just above the best score that may not be accepted, from scores in falling order."""
    allowed = int(np.floor(fpir * len(nonmated) + 1e-9))
    if allowed >= len(nonmated):
        return float("-inf")
    return float(np.nextafter(nonmated[allowed], np.inf))


def _slice_figures(searches: SearchScores, resampling: Resampling | None) -> Figures:
    fnir = {f"fnir_at_fpir_{fpir:g}": fnir_at_fpir(searches, fpir, resampling).fnir for fpir in FPIRS[:1]}
    return {"rank_one": rank_one_rate(searches, resampling), **fnir}


def _mean_or_nan(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
