"""Networks come from npm packages and wheels, as ONNX or in another format, and only if they are wanted."""

import base64
import hashlib
import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.build import selection
from models.build.build import build_all
from models.build.conversions import convert
from models.build.conversions.torch_file import MAGIC, read_torch_file
from models.build.files import CARDS, BuildFailure
from models.build.selection import ON_REQUEST, select_models
from models.build.wheels import Wheel, fetch_wheel
from tests.fakes.onnx_classifier import write_classifier
from tests.models.build_folders import build_folders
from vigil.inference.release import load_card

MEMBER = "pkg/data/model.onnx"


def test_a_wheel_is_fetched_by_its_hash_for_the_platform_that_its_tags_name(tmp_path: Path):
    wheel = _wheel(tags="py3-none-manylinux_2_28_x86_64")
    calls: list[Sequence[str]] = []

    path = fetch_wheel(wheel, tmp_path, ignore_download, _pip(calls))
    again = fetch_wheel(wheel, tmp_path, ignore_download, _pip(calls))

    assert path == again == tmp_path / "some_pkg-1.0-py3-none-manylinux_2_28_x86_64.whl"
    assert len(calls) == 1
    options = {"--require-hashes", "--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64"}
    assert options < set(calls[0])


def test_a_wheel_that_pip_refuses_is_a_failure_with_pips_reason(tmp_path: Path):
    def refuse(arguments: Sequence[str], on_line: Callable[[str], None]) -> tuple[int, str]:
        return 1, "Looking in indexes\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n"

    with pytest.raises(BuildFailure, match=r"could not fetch some-pkg==1\.0: THESE PACKAGES DO NOT MATCH"):
        fetch_wheel(_wheel(), tmp_path, ignore_download, refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_card_is_built_from_a_wheel_with_its_assets(tmp_path: Path):
    folders = build_folders(tmp_path)
    _cache_wheel(tmp_path / "cache")
    home = write_classifier(tmp_path / "cards", "packaged")
    (home / "model.onnx").unlink()
    _add_to_card(home, "source", MEMBER)
    _add_to_card(home, 'assets."words.json"', "pkg/data/words.json")

    assert build_all(ignore_progress, **folders) == ["packaged"]

    assert (tmp_path / "out" / "packaged" / "words.json").read_bytes() == b"[]"
    assert (tmp_path / "out" / "packaged" / "model.onnx").read_bytes() == network()


def test_only_the_models_that_a_deployment_names_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selection, "ON_REQUEST", {"image-detect"})
    folders = build_folders(tmp_path)
    for name in ("door", "image-detect"):
        write_classifier(tmp_path / "cards", name)

    assert build_all(ignore_progress, **folders) == ["door"]
    assert build_all(ignore_progress, names=["image-detect"], **folders) == ["image-detect"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["image-detect"]
    assert build_all(ignore_progress, **folders) == ["door"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["door", "image-detect"]


def test_a_named_model_brings_its_parts_and_an_unknown_name_is_refused():
    cards = {path.parent.name: load_card(path) for path in CARDS.glob("*/card.toml")}

    assert set(select_models(cards, ["faces"], [])) == {"faces", "face-detect", "face-landmark", "face-embed"}
    with pytest.raises(BuildFailure, match=r"There is no model facs; there are: .*faces"):
        select_models(cards, ["facs"], [])


def test_a_model_that_is_built_on_request_only_has_a_card():
    bundled = {path.parent.name for path in CARDS.glob("*/card.toml")}

    assert sorted(ON_REQUEST - bundled) == []


def test_a_graph_of_tensorflow_js_becomes_the_same_function():
    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(1, 1, 2, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    image = rng.normal(size=(1, 2, 4, 4)).astype(np.float32)

    graph = convert("tfjs-graph", _tfjs_model(kernel, bias))

    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    result = session.run(["out"], {"image": image})[0]
    expected = np.einsum("bchw,cd->bdhw", image, kernel[0, 0]) + bias[:, None, None]
    np.testing.assert_allclose(result, np.where(expected > 0, expected, 0.1 * expected), atol=1e-5)
    assert [node.op_type for node in _nodes(graph)] == ["Conv", "LeakyRelu"]


def test_an_operation_that_cannot_be_converted_is_named():
    model, weights = _tfjs_model(np.zeros((1, 1, 2, 3), np.float32), np.zeros(3, np.float32))

    with pytest.raises(BuildFailure, match="out: Softplus cannot be converted"):
        convert("tfjs-graph", [model.replace(b"LeakyRelu", b"Softplus"), weights])


def test_an_unknown_conversion_is_refused_with_those_that_exist():
    with pytest.raises(BuildFailure, match=r"no conversion 'caffe'; there are: .*tfjs-graph"):
        convert("caffe", [b""])


def test_a_file_of_torch_is_read_with_its_strides():
    values = np.arange(6, dtype="<f4")

    tensors = read_torch_file(_torch_file(values, shape=(2, 3), strides=(1, 2)))

    np.testing.assert_array_equal(tensors["w"], values.reshape(3, 2).T)


def test_a_file_of_torch_can_run_no_code():
    harmful = pickle.dumps(MAGIC) + pickle.dumps(1) + pickle.dumps({}) + b"cposix\nsystem\n(S'true'\ntR."

    with pytest.raises(BuildFailure, match=r"names posix\.system, which is no tensor"):
        read_torch_file(harmful)


def _torch_file(values: np.ndarray[Any, Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """As torch.save wrote it before torch 1.6."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", "FloatStorage", "7", "cpu", 6, None) if isinstance(obj, np.ndarray) else None

    stream = io.BytesIO()
    heads: tuple[Any, ...] = (MAGIC, 1001, {})
    for head in heads:
        pickle.dump(head, stream)
    Pickler(stream).dump({"w": (values, 0, shape, strides)})
    pickle.dump(["7"], stream)
    return stream.getvalue() + np.int64(values.size).tobytes() + values.tobytes()


def _tfjs_model(kernel: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> list[bytes]:
    """A 1x1 convolution with a bias of a channels-first image, and its weights as float16 and float32."""

    def text(value: str) -> dict[str, str]:
        return {"s": base64.b64encode(value.encode()).decode()}

    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    convolution = {"padding": text("VALID"), "data_format": text("NHWC"), "strides": ones, "dilations": ones}
    nodes = [
        {"name": "out", "op": "LeakyRelu", "input": ["back"], "attr": {"alpha": {"f": 0.1}}},
        {"name": "image", "op": "Placeholder"},
        *({"name": name, "op": "Const"} for name in ("kernel", "bias", "last", "first")),
        {"name": "turned", "op": "Transpose", "input": ["image", "last"]},
        {"name": "conv", "op": "Conv2D", "input": ["turned", "kernel"], "attr": convolution},
        {"name": "sum", "op": "AddV2", "input": ["conv", "bias"]},
        {"name": "back", "op": "Transpose", "input": ["sum", "first"]},
    ]
    arrays = {"last": np.array([0, 2, 3, 1], np.int32), "first": np.array([0, 3, 1, 2], np.int32)}
    arrays |= {"kernel": kernel, "bias": bias}
    entries = [{"name": n, "shape": list(a.shape), "dtype": str(a.dtype)} for n, a in arrays.items()]
    signature = {"inputs": {"i": _tensor("image:0", 2)}, "outputs": {"o": _tensor("out:0", 3)}}
    model = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"weights": entries}],
        "signature": signature,
    }
    return [json.dumps(model).encode(), b"".join(array.tobytes() for array in arrays.values())]


def _tensor(name: str, channels: int) -> dict[str, Any]:
    sizes = [{"size": str(size)} for size in (1, channels, 4, 4)]
    return {"name": name, "tensorShape": {"dim": sizes}}


def _nodes(graph: bytes) -> Sequence[Any]:
    return list(onnx.load_from_string(graph).graph.node)


@cache
def network() -> bytes:
    """The graph of the tests' classifier."""
    with tempfile.TemporaryDirectory() as folder:
        return (write_classifier(Path(folder)) / "model.onnx").read_bytes()


def _wheel(tags: str = "py3-none-any") -> Wheel:
    return Wheel("some-pkg", "1.0", f"sha256:{hashlib.sha256(_archive()).hexdigest()}", tags)


def _archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), network())
        archive.writestr(zipfile.ZipInfo("pkg/data/words.json"), b"[]")
    return stream.getvalue()


def _pip(calls: list[Sequence[str]]) -> Callable[..., tuple[int, str]]:
    """A pip that has the wheel."""

    def run(arguments: Sequence[str], on_line: Callable[[str], None]) -> tuple[int, str]:
        calls.append(arguments)
        folder = next(one for one in arguments if one.startswith("--dest=")).removeprefix("--dest=")
        (Path(folder) / "some_pkg-1.0-any.whl").write_bytes(_archive())
        return 0, ""

    return run


def _cache_wheel(cache: Path) -> None:
    cache.mkdir()
    (cache / _wheel().file_name).write_bytes(_archive())


def _add_to_card(home: Path, table: str, member: str) -> None:
    data = network() if member == MEMBER else b"[]"
    keys: Mapping[str, str] = {
        "registry": "pypi",
        "package": "some-pkg",
        "version": "1.0",
        "integrity": _wheel().digest,
        "member": member,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    lines = "\n".join(f'{key} = "{value}"' for key, value in keys.items())
    with (home / "card.toml").open("a") as card:
        card.write(f"\n[{table}]\n{lines}\n")


def ignore_progress(name: str, doing: str) -> None:
    """Tests show no progress."""


def ignore_download(doing: str) -> None:
    """Takes the progress of a download."""
