"""onnxruntime sessions for one small picture at a time, and the check of a release's golden outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from msgspec import field
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from vigil.errors import BrokenRelease, Rejected
from vigil.inference.card import ModelCard, Network, NetworkCard, PositiveInt
from vigil.inference.release import Release, open_part
from vigil.inference.types import Model, ignore_stage
from vigil.toml_file import InvalidToml, TomlTable, parse_toml

ONNXRUNTIME_ERRORS = (
    engine.EngineError,
    engine.EPFail,
    engine.Fail,
    engine.InvalidArgument,
    engine.InvalidGraph,
    engine.InvalidProtobuf,
    engine.NoModel,
    engine.NotImplemented,
    engine.RuntimeException,
)
"""All errors of onnxruntime about a graph; they have no base class of their own."""

GOLDEN_FILE = "golden.toml"


@dataclass(frozen=True, slots=True)
class Session:
    """One loaded network with one input."""

    runtime: ort.InferenceSession
    input_name: str

    def run(self, outputs: list[str], tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The named outputs, in that order. Raises BrokenRelease.

        tensor  float32, of the shape that the network declares
        """
        return run_graph(self.runtime, outputs, {self.input_name: tensor})


def run_graph(
    runtime: ort.InferenceSession, outputs: list[str], feeds: Mapping[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    """The named outputs for the inputs by name. Raises BrokenRelease."""
    try:
        results: list[NDArray[Any]] = runtime.run(outputs, feeds)
    except (*ONNXRUNTIME_ERRORS, ValueError) as error:
        raise BrokenRelease(f"the network does not run: {error}") from error
    return results


def open_session(release: Release) -> Session:
    """Load a release's network. Raises InvalidToml if the file is missing, BrokenRelease if it is invalid."""
    card = release.convert_card(NetworkCard)
    return Session(open_graph(release, card.network), card.input.name)


def open_graph(release: Release, network: Network) -> ort.InferenceSession:
    """Load the graph of a table [network]. Raises InvalidToml, BrokenRelease."""
    if network.file not in release.digests:
        file = release.card_file.file
        raise InvalidToml(f"{file}: network.file {network.file!r} is not beside the card")
    graph = release.read_file(network.file)
    try:
        return ort.InferenceSession(
            graph, _session_options(network.threads), providers=["CPUExecutionProvider"]
        )
    except ONNXRUNTIME_ERRORS as error:
        raise BrokenRelease(f"the graph of {release.name} {release.id} is no network: {error}") from error


def _session_options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # A waiting thread that spins uses the time that Lambda bills.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class _GraphCard(ModelCard, frozen=True, kw_only=True):
    network: Network


class GoldenNoise(TomlTable, frozen=True, kw_only=True):
    """Table [[noise]]: a network's output for `default_rng(seed).uniform(-1, 1, shape)` as float32.

    part          of a composite model, which has no graph of its own
    output        name of the output
    output_shape  its shape
    first         its first values
    mean          of all its values
    tolerance     largest difference to `first` and `mean`
    """

    part: str = ""
    seed: int
    shape: tuple[PositiveInt, ...]
    output: str
    output_shape: tuple[PositiveInt, ...] = ()
    first: tuple[float, ...]
    mean: float
    tolerance: float


class GoldenSample(TomlTable, frozen=True, kw_only=True):
    """Table [[sample]]: what the whole model answers for a file beside the card.

    labels     of its sightings, in order
    scores     of its first sightings; `values`, `texts` likewise
    tolerance  largest difference to a score or a value
    """

    file: str
    labels: tuple[str, ...]
    scores: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    tolerance: float = 0.01


class GoldenOutputs(TomlTable, frozen=True):
    """The file golden.toml; the tests check `photo`, which needs photographs."""

    noise: tuple[GoldenNoise, ...] = ()
    sample: tuple[GoldenSample, ...] = ()
    photo: tuple[dict[str, Any], ...] = field(default_factory=tuple)


def verify_golden(release: Release, model: Model) -> None:
    """Raises BrokenRelease if an output differs from the golden one, or a network has no golden output.

    model  the release, opened
    """
    golden = GoldenOutputs()
    if GOLDEN_FILE in release.digests:
        golden = parse_toml(GOLDEN_FILE, release.read_file(GOLDEN_FILE)).convert(GoldenOutputs)
    for sample in golden.sample:
        _verify_golden_sample(release, model, sample)
    if not golden.noise and not golden.sample:
        raise BrokenRelease(f"{release.name} {release.id} has no [[noise]] or [[sample]] in {GOLDEN_FILE}")
    uncovered = {""} if release.card.network else set(release.card.pipeline.parts.values())
    for noise in golden.noise:
        _verify_golden_noise(open_part(release, noise.part) if noise.part else release, noise)
        uncovered.discard(noise.part)
    if uncovered - ({""} if golden.sample else set()):
        raise BrokenRelease(f"{release.name} {release.id} has no golden output of {', '.join(uncovered)}")


def _verify_golden_sample(release: Release, model: Model, golden: GoldenSample) -> None:
    if golden.file not in release.digests:
        raise InvalidToml(f"{GOLDEN_FILE}: sample.file: {golden.file} is not beside the card")
    try:
        found = model.predict(release.read_file(golden.file), {}, ignore_stage).sightings
    except Rejected as error:
        raise BrokenRelease(f"{release.name} {release.id} rejects {golden.file}: {error}") from error
    numbers = [
        *zip(golden.scores, (one.score for one in found), strict=False),
        *zip(golden.values, (one.value for one in found), strict=False),
    ]
    texts = tuple(one.text for one in found[: len(golden.texts)])
    is_same = tuple(one.label for one in found) == golden.labels and texts == golden.texts
    if not is_same or any(abs(expected - (actual or 0.0)) > golden.tolerance for expected, actual in numbers):
        answer = ", ".join(f"{one.label} {one.score or one.value or 0:.3f}" for one in found[:5])
        raise BrokenRelease(
            f"{release.name} {release.id} does not reproduce {golden.file}: it finds {answer}"
        )


def _verify_golden_noise(release: Release, golden: GoldenNoise) -> None:
    noise = np.random.default_rng(golden.seed).uniform(-1, 1, golden.shape).astype(np.float32)
    graph = open_graph(release, release.convert_card(_GraphCard).network)
    output = run_graph(graph, [golden.output], {graph.get_inputs()[0].name: noise})[0].ravel()
    actual = [*(float(value) for value in output[: len(golden.first)]), float(output.mean())]
    if not np.allclose(actual, [*golden.first, golden.mean], rtol=0, atol=golden.tolerance):
        raise BrokenRelease(f"{release.name} {release.id} does not reproduce its golden output")
