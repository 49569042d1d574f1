"""The graph of a card: its inputs and outputs compared with what the card says of them, and its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from vigil.errors import BrokenRelease
from vigil.inference.network.card import (
    AudioInputSpec,
    BytesInputSpec,
    ImageInputSpec,
    InputSpec,
    NetworkModelCard,
    TableInputSpec,
    TensorInputSpec,
    TextInputSpec,
)
from vigil.inference.release import Release
from vigil.inference.session import open_graph, run_graph
from vigil.toml_file import InvalidToml

DTYPES: Mapping[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(bool)": np.dtype(np.bool_),
}
_FLOATS, _INTEGERS = ("tensor(float)", "tensor(double)"), ("tensor(int64)", "tensor(int32)")
ACCEPTED_TYPES: Mapping[type, Sequence[str]] = {
    ImageInputSpec: _FLOATS[:1],
    AudioInputSpec: _FLOATS[:1],
    TextInputSpec: _INTEGERS,
    TableInputSpec: _FLOATS,
    BytesInputSpec: (*_FLOATS, *_INTEGERS),
    TensorInputSpec: (*_FLOATS, *_INTEGERS),
}
OUTPUT_TYPES = {*_FLOATS, *_INTEGERS, "tensor(float16)", "tensor(bool)"}
MAX_ITEMS = 64
"""Items of one run."""


class NetworkGraph:
    """A graph that has the inputs and outputs of its card."""

    def __init__(self, release: Release, card: NetworkModelCard, outputs: Sequence[str]) -> None:
        """Raises InvalidToml if graph and card differ, BrokenRelease if the graph cannot be opened.

        outputs  the names of the outputs that the card needs
        """
        self._file, self._spec = release.card_file, card.input
        self._runtime: ort.InferenceSession = _open(release, card)
        self._inputs = {one.name: one for one in self._runtime.get_inputs()}
        self._check_inputs()
        self._check_outputs(outputs)
        self.outputs = list(dict.fromkeys(outputs))
        self._constants = self._feed_constants()

    def dtype(self, name: str) -> np.dtype[Any]:
        return DTYPES[self._inputs[name].type]

    def run(self, feeds: Mapping[str, NDArray[Any]], items: int) -> dict[str, NDArray[Any]]:
        """The outputs by name, each with an axis of the items in front. Raises BrokenRelease."""
        spec = self._spec
        if isinstance(spec, AudioInputSpec) and spec.states:
            return self._run_stream(feeds[spec.name], spec)
        step = MAX_ITEMS if self._takes_batches() else 1
        parts = [
            self._run_once({name: tensor[start : start + step] for name, tensor in feeds.items()}, items)
            for start in range(0, items, step)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _run_once(self, feeds: Mapping[str, NDArray[Any]], items: int) -> dict[str, NDArray[Any]]:
        results = run_graph(self._runtime, self.outputs, {**self._constants, **feeds})
        named = dict(zip(self.outputs, results, strict=True))
        if items == 1:
            return {
                name: one if one.ndim and len(one) == 1 else one[np.newaxis] for name, one in named.items()
            }
        for name, one in named.items():
            if not one.ndim or len(one) != len(next(iter(feeds.values()))):
                raise self._file.invalid(
                    "output.name",
                    f"{name} has shape {list(one.shape)}, whose first axis does not count the items",
                )
        return named

    def _run_stream(self, windows: NDArray[Any], spec: AudioInputSpec) -> dict[str, NDArray[Any]]:
        """One window after another; each run's states go into the next one."""
        states = {one.input: np.zeros(one.shape, self.dtype(one.input)) for one in spec.states}
        names = [*self.outputs, *(one.output for one in spec.states)]
        found: list[list[NDArray[Any]]] = []
        for window in windows:
            results = run_graph(
                self._runtime, names, {**self._constants, **states, spec.name: window[np.newaxis]}
            )
            found.append(results[: len(self.outputs)])
            states = dict(zip(states, results[len(self.outputs) :], strict=True))
        return {
            name: np.stack([one[number].reshape(-1) for one in found])
            for number, name in enumerate(self.outputs)
        }

    def _takes_batches(self) -> bool:
        """Whether the first axis of the inputs may have any length."""
        return not isinstance(self._inputs[self._spec.name].shape[0], int)

    def _check_inputs(self) -> None:
        spec, own = self._spec, _fed_names(self._spec)
        for key, name in own.items():
            if name not in self._inputs:
                raise self._file.invalid(
                    key, f"the graph has no input {name!r}; its inputs: {_listed(self._inputs.values())}"
                )
        for name, one in self._inputs.items():
            if name not in {*own.values(), *spec.constants}:
                raise self._file.invalid(
                    "input",
                    f"the graph also needs {_listed([one])}; add it as in constants = {{ {name} = 1 }}",
                )
            is_free = name in spec.constants or name == getattr(spec, "mask", None)
            accepted = DTYPES if is_free else ACCEPTED_TYPES[type(spec)]
            if one.type not in accepted:
                raise self._file.invalid(
                    "input.name",
                    f"the graph's input {name!r} is {one.type}; an input of this kind is "
                    f"{' or '.join(accepted)}: convert the graph to float32, or put a Cast in front of it",
                )
        if unused := set(spec.constants) - set(self._inputs):
            raise self._file.invalid("input.constants", f"the graph has no input {min(unused)!r}")
        self._check_shape()

    def _check_shape(self) -> None:
        declared, expected = self._inputs[self._spec.name].shape, _expected_shape(self._spec)
        if expected is None or not declared:
            return
        key, shape = expected
        differs = len(declared) != len(shape) or any(
            isinstance(actual, int) and length and actual != length
            for actual, length in zip(declared, shape, strict=True)
        )
        if differs:
            graph_shape = [one if isinstance(one, int) else "any" for one in declared]
            raise self._file.invalid(
                key, f"the card makes {[one or 'any' for one in shape]}; the graph's input is {graph_shape}"
            )

    def _check_outputs(self, names: Sequence[str]) -> None:
        outputs = {one.name: one for one in self._runtime.get_outputs()}
        for name in names:
            if name not in outputs:
                raise self._file.invalid(
                    "output", f"the graph has no output {name!r}; its outputs: {_listed(outputs.values())}"
                )
            if outputs[name].type not in OUTPUT_TYPES:
                raise self._file.invalid(
                    "output",
                    f"{name!r} is {outputs[name].type}, not a tensor of numbers; export the model without "
                    "ZipMap",
                )

    def _feed_constants(self) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(value, self.dtype(name)) for name, value in self._spec.constants.items()}


def _open(release: Release, card: NetworkModelCard) -> ort.InferenceSession:
    """Open the graph; what onnxruntime refuses is explained by what usually is the cause."""
    try:
        return open_graph(release, card.network)
    except InvalidToml:
        raise
    except BrokenRelease as error:
        text = str(error)
        if "external" in text.lower() or "model_path" in text:
            problem = (
                "the graph's weights are in another file, which a release has no place for; store them "
                "inside: onnx.save(onnx.load(PATH), PATH, save_as_external_data=False)"
            )
            raise release.card_file.invalid("network.file", problem) from error
        problem = f"{card.network.file} cannot be used: {text[:300]}"
        if "opset" in text.lower():
            problem = f"onnxruntime {ort.__version__} does not support the graph's opset; export opset 21"
        raise release.card_file.invalid("network.file", problem) from error


def _fed_names(spec: InputSpec) -> dict[str, str]:
    """The graph's inputs that the card names, by key."""
    names = {"input.name": spec.name}
    if isinstance(spec, TextInputSpec):
        names |= {f"input.{key}": name for key, name in (("mask", spec.mask), ("types", spec.types)) if name}
    if isinstance(spec, AudioInputSpec):
        names |= {"input.mask": spec.mask} if spec.mask else {}
        names |= {f"input.states[{number}].input": one.input for number, one in enumerate(spec.states)}
    return names


def _expected_shape(spec: InputSpec) -> tuple[str, Sequence[int]] | None:
    """The key that decides the input's shape, and the shape; 0 for an axis of any length."""
    if isinstance(spec, ImageInputSpec):
        width, height = spec.size or (0, 0)
        depth = len(spec.mean)
        return "input.size", (0, depth, height, width) if spec.layout == "nchw" else (0, height, width, depth)
    if isinstance(spec, TableInputSpec):
        return "input.features", (0, len(spec.features))
    if isinstance(spec, BytesInputSpec):
        return "input.head", (0, spec.head + spec.tail)
    if isinstance(spec, TensorInputSpec):
        return "input.shape", spec.shape
    if isinstance(spec, AudioInputSpec):
        clip = round(spec.clip_s * spec.rate) if spec.clip_s else 0
        return "input.window", (0, spec.context + spec.window if spec.window else clip)
    return "input.max_tokens", (0, spec.max_tokens if spec.padding == "max" else 0)


def _listed(values: Any) -> str:
    return ", ".join(
        f"{one.name} ({one.type.removeprefix('tensor(').removesuffix(')')} {one.shape})" for one in values
    )
