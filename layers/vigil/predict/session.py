"""onnxruntime sessions, set up for one small picture at a time on a machine shared with others."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from vigil.errors import BrokenRelease
from vigil.predict.card import Network
from vigil.predict.release import Release
from vigil.predict.table import BadCard

_FAULTS = (
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
    input: str

    def run(self, outputs: list[str], tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The named outputs for one input tensor, in that order. Raises BrokenRelease."""
        try:
            results: list[NDArray[np.float32]] = self.runtime.run(outputs, {self.input: tensor})
        except (*_FAULTS, ValueError) as error:
            raise BrokenRelease(f"the network does not answer: {error}") from error
        return results


def open_session(release: Release) -> Session:
    """Load a release's network. Raises BadCard where it has none, BrokenRelease where it is no network."""
    network = Network.read(release.card)
    if network.file not in release.digests:
        raise BadCard(f"{release.card.file}: network.file {network.file!r} is not beside the card")
    graph = release.read(network.file)
    return Session(_runtime(graph, _options(network.threads), release), release.card.text("input.name"))


def _runtime(graph: bytes, options: ort.SessionOptions, release: Release) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _FAULTS as error:
        raise BrokenRelease(f"the graph of {release.name} {release.id} is no network: {error}") from error


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # A waiting thread that spins burns the time that Lambda bills.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
