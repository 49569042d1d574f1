"""onnxruntime sessions for one small picture at a time, and the check of a release's golden outputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from msgspec import field
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from vigil.errors import BrokenRelease
from vigil.inference.card import NetworkCard, PositiveInt
from vigil.inference.release import Release, open_part
from vigil.toml_file import InvalidToml, TomlTable, parse_toml

_ONNXRUNTIME_ERRORS = (
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
        try:
            results: list[NDArray[np.float32]] = self.runtime.run(outputs, {self.input_name: tensor})
        except (*_ONNXRUNTIME_ERRORS, ValueError) as error:
            raise BrokenRelease(f"the network does not run: {error}") from error
        return results


def open_session(release: Release) -> Session:
    """Load a release's network. Raises InvalidToml if the file is missing, BrokenRelease if it is invalid."""
    card = release.convert_card(NetworkCard)
    if card.network.file not in release.digests:
        file = release.card_file.file
        raise InvalidToml(f"{file}: network.file {card.network.file!r} is not beside the card")
    graph = release.read_file(card.network.file)
    try:
        runtime = ort.InferenceSession(
            graph, _session_options(card.network.threads), providers=["CPUExecutionProvider"]
        )
    except _ONNXRUNTIME_ERRORS as error:
        raise BrokenRelease(f"the graph of {release.name} {release.id} is no network: {error}") from error
    return Session(runtime, card.input.name)


def _session_options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # A waiting thread that spins uses the time that Lambda bills.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


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


class GoldenOutputs(TomlTable, frozen=True):
    """The file golden.toml; the tests check `photo`, which needs photographs."""

    noise: tuple[GoldenNoise, ...] = ()
    photo: tuple[dict[str, Any], ...] = field(default_factory=tuple)


def verify_golden(release: Release) -> None:
    """Raises BrokenRelease if an output differs from the golden one, or a network has no golden output."""
    golden = GoldenOutputs()
    if GOLDEN_FILE in release.digests:
        golden = parse_toml(GOLDEN_FILE, release.read_file(GOLDEN_FILE)).convert(GoldenOutputs)
    if not golden.noise:
        raise BrokenRelease(f"{release.name} {release.id} has no [[noise]] in {GOLDEN_FILE}")
    uncovered = {""} if release.card.network else set(release.card.pipeline.parts.values())
    for noise in golden.noise:
        _verify_golden_noise(open_part(release, noise.part) if noise.part else release, noise)
        uncovered.discard(noise.part)
    if uncovered:
        raise BrokenRelease(f"{release.name} {release.id} has no golden output of {', '.join(uncovered)}")


def _verify_golden_noise(release: Release, golden: GoldenNoise) -> None:
    noise = np.random.default_rng(golden.seed).uniform(-1, 1, golden.shape).astype(np.float32)
    output = open_session(release).run([golden.output], noise)[0].ravel()
    actual = [*(float(value) for value in output[: len(golden.first)]), float(output.mean())]
    if not np.allclose(actual, [*golden.first, golden.mean], rtol=0, atol=golden.tolerance):
        raise BrokenRelease(f"{release.name} {release.id} does not reproduce its golden output")
