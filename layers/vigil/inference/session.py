"""onnxruntime sessions, set up for one small picture at a time on a machine shared with others."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from vigil.errors import BrokenRelease
from vigil.inference.card import Network, TomlReader, parse_toml
from vigil.inference.release import Release, list_parts, open_part
from vigil.toml_file import InvalidToml

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
"""All that onnxruntime raises of a graph; they have no ancestor of their own."""


@dataclass(frozen=True, slots=True)
class Session:
    """One loaded network with one input."""

    runtime: ort.InferenceSession
    input_name: str

    def run(self, outputs: list[str], tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The named outputs for one input tensor, in that order. Raises BrokenRelease."""
        try:
            results: list[NDArray[np.float32]] = self.runtime.run(outputs, {self.input_name: tensor})
        except (*_ONNXRUNTIME_ERRORS, ValueError) as error:
            raise BrokenRelease(f"the network does not answer: {error}") from error
        return results


def open_session(release: Release) -> Session:
    """Load a release's network. Raises BadCard where it has none, BrokenRelease where it is no network."""
    network = Network.from_card(release.card)
    if network.file not in release.digests:
        raise InvalidToml(f"{release.card.file}: network.file {network.file!r} is not beside the card")
    graph = release.read_file(network.file)
    return Session(
        _create_runtime(graph, _session_options(network.threads), release), release.card.get_str("input.name")
    )


def _create_runtime(graph: bytes, options: ort.SessionOptions, release: Release) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _ONNXRUNTIME_ERRORS as error:
        raise BrokenRelease(f"the graph of {release.name} {release.id} is no network: {error}") from error


def _session_options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # A waiting thread that spins burns the time that Lambda bills.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


# MERGED: A release proves itself: what its graphs answer for known noise is what they answered when it was
#   made.

GOLDEN_FILE = "golden.toml"


def verify_golden(release: Release) -> None:
    """Raises BrokenRelease where an answer is another, or there is none to compare with.

    A composite release has no graph of its own: each golden input names the part that it is for.
    """
    golden = (
        parse_toml(GOLDEN_FILE, release.read_file(GOLDEN_FILE))
        if GOLDEN_FILE in release.digests
        else TomlReader(GOLDEN_FILE, {})
    )
    uncovered = {""} if "network" in release.card else {part for _, part in list_parts(release.card)}
    for number in range(_golden_input_count(golden)):
        golden_input = TomlReader(golden.file, golden.values["noise"][number])
        part = golden_input.get_str("part") if "part" in golden_input else ""
        _verify_golden_input(open_part(release, part) if part else release, golden_input)
        uncovered.discard(part)
    if uncovered:
        raise BrokenRelease(f"{release.name} {release.id} has no golden input for {', '.join(uncovered)}")


def _verify_golden_input(release: Release, golden_input: TomlReader) -> None:
    shape = [int(size) for size in golden_input.get_floats("shape")]
    noise = np.random.default_rng(golden_input.get_int("seed")).uniform(-1, 1, shape).astype(np.float32)
    output = open_session(release).run([golden_input.get_str("output")], noise)[0].ravel()
    actual = [
        *(float(value) for value in output[: len(golden_input.get_floats("first"))]),
        float(output.mean()),
    ]
    expected = [*golden_input.get_floats("first"), golden_input.get_float("mean")]
    if not np.allclose(actual, expected, rtol=0, atol=golden_input.get_float("tolerance")):
        raise BrokenRelease(f"{release.name} {release.id} answers its golden input wrongly")


def _golden_input_count(golden: TomlReader) -> int:
    inputs = golden.values.get("noise")
    if not isinstance(inputs, list) or not inputs:
        raise BrokenRelease(f"{golden.file} holds no golden input")
    return len(inputs)
