"""Releases of kind "network" with graphs and cards that no code of the product knows: one of each head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from onnx import ModelProto, TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from vigil.inference.network.model import NetworkModel, open_network
from vigil.inference.release import open_release

WORDS = ("[UNK]", "[PAD]", "the", "good", "bad", "film", "was", "quick", "brown", "fox", ",", ".")


@dataclass(frozen=True)
class RandomGraph:
    """A random linear layer from the flattened input to `outputs`, of any shape after the batch."""

    shape: Sequence[Any]
    outputs: Mapping[str, Sequence[int]]
    dtype: int = TensorProto.FLOAT
    seed: int = 0
    extra_inputs: tuple[str, ...] = ()

    def build(self) -> bytes:
        rng = np.random.default_rng(self.seed)
        nodes, weights = [helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT)], []
        nodes.append(helper.make_node("Flatten", ["floats"], ["flat"]))
        nodes.append(helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1))
        source = "mean"
        for name in self.extra_inputs:
            nodes.append(helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("ReduceMean", [f"{name}_f"], [f"{name}_m"], keepdims=1))
            nodes.append(helper.make_node("Mul", [source, f"{name}_m"], [f"{source}_{name}"]))
            source = f"{source}_{name}"
            nodes.append(helper.make_node("Reshape", [source, "column"], [f"{source}_r"]))
            source = f"{source}_r"
        if self.extra_inputs:
            weights.append(numpy_helper.from_array(np.array([-1, 1], np.int64), "column"))
        for name, shape in self.outputs.items():
            size = int(np.prod(shape))
            weights.append(
                numpy_helper.from_array(rng.normal(size=(1, size)).astype(np.float32), f"w_{name}")
            )
            weights.append(numpy_helper.from_array(np.array([-1, *shape], np.int64), f"s_{name}"))
            nodes.append(helper.make_node("MatMul", [source, f"w_{name}"], [f"r_{name}"]))
            nodes.append(helper.make_node("Reshape", [f"r_{name}", f"s_{name}"], [name]))
        inputs = [helper.make_tensor_value_info("x", self.dtype, list(self.shape))]
        inputs += [helper.make_tensor_value_info(name, self.dtype, ["n", "t"]) for name in self.extra_inputs]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *shape])
            for name, shape in self.outputs.items()
        ]
        graph = helper.make_graph(nodes, "random", inputs, outputs, weights)
        return as_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def as_bytes(model: ModelProto) -> bytes:
    data: bytes = model.SerializeToString()
    return data


IMAGE = {"kind": "image", "name": "x", "size": [16, 12], "mean": [127.5] * 3, "scale": [127.5] * 3}
TEXT = {"kind": "text", "name": "x", "mask": "mask", "tokenizer": "tokenizer.json", "max_tokens": 12}
CLIP = {"kind": "audio", "name": "x", "rate": 8000, "clip_s": 0.5}
STREAM = {"kind": "audio", "name": "x", "rate": 8000, "window": 400, "hop": 200, "context": 16}
TABLE = {
    "kind": "table",
    "name": "x",
    "features": [
        {"name": "amount", "minimum": 0.0},
        {"name": "country", "type": "category", "categories": ["DE", "FR"]},
        {"name": "present", "type": "boolean", "missing": 0.0},
    ],
}
BYTES = {"kind": "bytes", "name": "x", "head": 16, "tail": 8, "pad": 256}
TENSOR = {"kind": "tensor", "name": "x", "shape": [0, 5]}
INPUTS: Mapping[str, tuple[dict[str, Any], Sequence[Any], int]] = {
    "image": (IMAGE, ["n", 3, 12, 16], TensorProto.FLOAT),
    "text": (TEXT, ["n", "t"], TensorProto.INT64),
    "audio": (CLIP, ["n", 4000], TensorProto.FLOAT),
    "stream": (STREAM, ["n", 416], TensorProto.FLOAT),
    "table": (TABLE, ["n", 3], TensorProto.FLOAT),
    "bytes": (BYTES, ["n", 24], TensorProto.INT32),
    "tensor": (TENSOR, ["n", 5], TensorProto.FLOAT),
}
"""The table [input], the shape and the type of the graph's input, by a name of the case."""

TOKENS = ["<s>", "▁good", "▁morn", "ing", "<0x21>", "</s>"]
LABELS = ["red", "green", "blue"]
OUTPUTS: dict[str, tuple[dict[str, Any], Mapping[str, Sequence[int]]]] = {
    "softmax": ({"kind": "softmax", "name": "y", "labels": LABELS}, {"y": [3]}),
    "sigmoid": ({"kind": "sigmoid", "name": "y", "labels": LABELS, "threshold": 0.2}, {"y": [3]}),
    "probabilities": ({"kind": "probabilities", "name": "y", "labels": LABELS, "threshold": 0.0}, {"y": [3]}),
    "binary": ({"kind": "binary", "name": "y", "labels": ["no", "yes"]}, {"y": [1]}),
    "regression": ({"kind": "regression", "name": "y", "labels": ["price"], "scale": 2.0}, {"y": [1]}),
    "embedding": ({"kind": "embedding", "name": "y", "space": "tests"}, {"y": [8]}),
    "anomaly": ({"kind": "anomaly", "name": "y", "low": -1.0, "high": 1.0}, {"y": [1]}),
    "ctc": ({"kind": "ctc", "name": "y", "labels": list("abc"), "activation": "softmax"}, {"y": [6, 4]}),
    "autoregressive": (
        {
            "kind": "autoregressive",
            "name": "y",
            "decoder_file": "decoder.onnx",
            "labels": TOKENS,
            "start": 0,
            "end": 5,
        },
        {"y": [3, 4]},
    ),
    "segments": ({"kind": "segments", "name": "y", "label": "speech", "min_s": 0.0}, {"y": [1]}),
    "boxes": (
        {
            "kind": "detection",
            "scores": ["s"],
            "boxes": ["b"],
            "labels": LABELS,
            "threshold": 0.0,
            "activation": "sigmoid",
            "decoder": {"kind": "boxes", "format": "cxcywh", "normalized": True},
        },
        {"s": [7, 3], "b": [7, 4]},
    ),
}

for _kind, _decoder, _cells, _values in (
    ("anchors", {"strides": [4], "min_sizes": [[5.0]], "centre_variance": 0.1, "size_variance": 0.2}, 12, 4),
    ("distribution", {"strides": [4]}, 12, 4 * 5),
):
    _table = {**OUTPUTS["boxes"][0], "decoder": {"kind": _kind, **_decoder}}
    OUTPUTS[_kind] = (_table, {"s": [_cells, 3], "b": [_cells, _values]})


def network_files(
    case_input: str = "tensor",
    case_output: str = "softmax",
    *,
    name: str = "tiny",
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
) -> dict[str, bytes]:
    """The files of a release.

    changes  values of the card by dotted key, such as "output.threshold"; None removes the key
    """
    table, shape, dtype = INPUTS[case_input]
    output, tensors = OUTPUTS[case_output]
    card: dict[str, Any] = {
        "model": {"name": name, "version": "1", "summary": "a random network"},
        "pipeline": {"kind": "network"},
        "accepts": {"suffixes": [".bin"], "max_bytes": 1_000_000},
        "network": {"file": "model.onnx", "threads": 1},
        "input": dict(table),
        "output": dict(output),
        "licence": {"spdx": "Apache-2.0"},
        "rules": list(rules),
    }
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        where = card
        for step in path:
            where = where[step]
        if value is None:
            del where[last]
        else:
            where[last] = value
    extra = ("mask",) if case_input == "text" else ()
    graph = RandomGraph(shape, tensors, dtype, seed, extra_inputs=extra).build()
    files = {"card.toml": tomli_w.dumps(card).encode(), "model.onnx": graph}
    if case_output == "autoregressive":
        files["decoder.onnx"] = decoder_graph()
    return files | ({"tokenizer.json": tokenizer_file()} if case_input == "text" else {})


def decoder_graph() -> bytes:
    """A decoder with a cache that writes TOKENS in their order."""
    size = len(TOKENS)
    table = numpy_helper.from_array(np.eye(size, k=1, dtype=np.float32) * 20, "table")
    entry = numpy_helper.from_array(np.ones((1, 2, 1, 3), np.float32), "entry")
    cache = "past_key_values.0.decoder.key"
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["logits"]),
        helper.make_node("Concat", [cache, "entry"], ["present.0.decoder.key"], axis=2),
    ]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "t"]),
        helper.make_tensor_value_info("encoder_hidden_states", TensorProto.FLOAT, [1, "s", 4]),
        helper.make_tensor_value_info(cache, TensorProto.FLOAT, [1, 2, "p", 3]),
        helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "t", size]),
        helper.make_tensor_value_info("present.0.decoder.key", TensorProto.FLOAT, [1, 2, "q", 3]),
    ]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, [table, entry])
    return as_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def tokenizer_file() -> bytes:
    """A tokenizer of a few words."""
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def write_network(root: Path, files: Mapping[str, bytes], name: str = "tiny") -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return folder


def opened_network(root: Path, files: Mapping[str, bytes], name: str = "tiny") -> NetworkModel:
    write_network(root, files, name)
    return open_network(open_release(root, name), lambda part: open_release(root, part))


def network_releases() -> dict[str, dict[str, bytes]]:
    """The files of one release for each kind of input, with a rule that each of its sightings fulfils."""
    heads = {"image": "boxes", "stream": "segments", "table": "binary", "bytes": "anomaly"}
    rules = [
        {"name": f"any-{status}", "severity": "critical", "status": status} for status in ("known", "unknown")
    ]
    return {
        f"tiny-{kind}": network_files(
            kind,
            heads.get(kind, "softmax"),
            name=f"tiny-{kind}",
            rules=rules,
            changes={"output.threshold": 0.0} if kind == "stream" else None,
        )
        for kind in INPUTS
    }
