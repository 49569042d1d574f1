"""A card that does not fit its graph is refused with file, key, reason and what would be right."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.fakes.network_releases import OUTPUTS, RandomGraph, network_files
from tests.fakes.onnx_classifier import write_release
from vigil.inference.network.check import check_files, check_release
from vigil.inference.release import open_release
from vigil.toml_file import InvalidToml

Y: Mapping[str, Any] = {"y": [3]}


def refusal(files: Mapping[str, bytes]) -> str:
    with pytest.raises(InvalidToml) as refused:
        check_files("tiny", files)
    return str(refused.value)


@pytest.mark.parametrize(
    ("case", "changes", "expected"),
    [
        ("tensor", {"input.name": "y"}, r"card.toml, line \d+: input.name: .*'y'; its inputs: x \(float"),
        ("tensor", {"input.shape": [0, 6]}, r"input.shape: the card makes \['any', 6\]; .* \['any', 5\]"),
        ("image", {"input.size": [12, 16]}, r"input.size: .*\[.*3, 16, 12\]; the graph's input is"),
        ("image", {"input.layout": "nhwc"}, r"input.size: "),
        ("bytes", {"input.tail": 9}, r"input.head: .* 25\]; .* 24\]"),
        ("audio", {"input.clip_s": 0.25}, r"input.window: .* 2000\]; .* 4000\]"),
        ("text", {"input.mask": ""}, r"input: the graph also needs mask .*constants = \{ mask = 1 \}"),
        ("text", {"input.tokenizer": "t.json"}, r"input.tokenizer: the file t.json is not beside the card"),
        ("tensor", {"output.name": "z"}, r"output: the graph has no output 'z'; its outputs: y"),
        ("tensor", {"output.labels": ["a", "b"]}, r"output: .*gives 3 values for the 2 labels"),
        ("tensor", {"output.labels": ["a", "b", "a"]}, r"output.labels: 'a' stands there twice"),
        ("tensor", {"output.kind": "softmx"}, r"softmx.*did you mean softmax"),
        ("tensor", {"input.kind": "vector"}, r"kinds: audio, bytes, image, table, tensor, text"),
        ("tensor", {"output.treshold": 0.5}, r"unknown key treshold at output; keys: kind, .*threshold\?"),
        ("tensor", {"output.threshold": 2}, r"line \d+: expected .* <= 1.* at output.threshold"),
        ("tensor", {"network.file": "other.onnx"}, r"network.file: the file other.onnx is not beside"),
        ("tensor", {"input.constants": {"sr": 1}}, r"input.constants: the graph has no input 'sr'"),
        ("tensor", {"output.labels": None}, r"exactly one of labels and labels_file"),
    ],
)
def test_a_wrong_key_is_named(case: str, changes: dict[str, Any], expected: str):
    assert re.search(expected, refusal(network_files(case, changes=changes)))


@pytest.mark.parametrize(("dtype", "name"), [(TensorProto.UINT8, "uint8"), (TensorProto.FLOAT16, "float16")])
def test_a_graph_that_takes_other_numbers_than_float32_is_refused(dtype: int, name: str):
    files = network_files() | {"model.onnx": RandomGraph(["n", 5], Y, dtype).build()}

    message = refusal(files)
    assert f"input.name: the graph's input 'x' is tensor({name})" in message
    assert "put a Cast in front of it" in message


def test_a_classifier_of_uint8_is_refused_at_build_and_not_at_its_first_photo(tmp_path: Path):
    files = write_release(tmp_path)
    graph = onnx.load_model_from_string(files["model.onnx"])
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    graph.graph.node.insert(0, helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT))
    graph.graph.node[1].input[0] = "cast"

    message = refusal(files | {"model.onnx": graph.SerializeToString()})
    assert "the graph's input 'image' is tensor(uint8)" in message


def test_weights_in_another_file_are_refused(tmp_path: Path):
    graph = onnx.load_model_from_string(network_files()["model.onnx"])
    onnx.save_model(
        graph,
        str(tmp_path / "model.onnx"),
        save_as_external_data=True,
        size_threshold=0,
        location="model.onnx.data",
    )

    message = refusal(network_files() | {"model.onnx": (tmp_path / "model.onnx").read_bytes()})
    assert "network.file: the graph's weights are in another file" in message
    assert "save_as_external_data=False" in message


def test_an_opset_of_the_future_is_refused():
    graph = onnx.load_model_from_string(network_files()["model.onnx"])
    graph.opset_import[0].version = 99

    assert "does not support the graph's opset" in refusal(
        network_files() | {"model.onnx": graph.SerializeToString()}
    )


def test_a_network_that_answers_nan_is_refused():
    graph = onnx.load_model_from_string(network_files()["model.onnx"])
    for weight in graph.graph.initializer:
        if weight.name == "w_y":
            weight.CopyFrom(numpy_helper.from_array(np.full((1, 3), np.nan, np.float32), "w_y"))

    assert "no finite numbers" in refusal(network_files() | {"model.onnx": graph.SerializeToString()})


def test_what_is_no_graph_is_refused():
    assert "network.file: model.onnx cannot be used" in refusal(
        network_files() | {"model.onnx": b"\x08\x01junk"}
    )


def test_a_byte_order_mark_is_refused():
    files = network_files()

    message = refusal(files | {"card.toml": b"\xef\xbb\xbf" + files["card.toml"]})
    assert "line 1: the file begins with a byte order mark" in message


def test_a_labels_file_with_a_byte_order_mark_is_refused():
    changes = {"output.labels": None, "output.labels_file": "labels.txt"}
    files = network_files(changes=changes) | {"labels.txt": b"\xef\xbb\xbfred\ngreen\nblue\n"}

    assert "labels.txt begins with a byte order mark" in refusal(files)
    check_files("tiny", files | {"labels.txt": b"red\ngreen\nblue\n"})


@pytest.mark.parametrize(("case", "head"), [("tensor", "segments"), ("tensor", "boxes")])
def test_inputs_and_outputs_that_do_not_go_together_are_refused(case: str, head: str):
    assert f'output of kind "{OUTPUTS[head][0]["kind"]}" needs an input' in refusal(network_files(case, head))


def test_the_models_that_are_bundled_pass(tmp_path: Path):
    write_release(tmp_path)

    check_release(open_release(tmp_path, "tiny-colours"))
