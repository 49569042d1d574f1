"""What is left of botocore's descriptions is what botocore asks for when it makes a call."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import onnx
import pytest
from botocore.loaders import Loader
from botocore.session import Session
from onnx import TensorProto, helper

from infra.package import package
from infra.package.dependencies import FUNCTION_PACKAGES, LAYERS, SERVICES, strip_botocore_data
from tests.infra.conftest import Template, resources_of_type


def test_service_models_ship_uncompressed_and_without_documentation(tmp_path: Path):
    _copy_botocore_data(tmp_path, "s3", "sqs")

    strip_botocore_data(tmp_path)

    assert not list(tmp_path.glob("**/*.gz"))
    service = json.loads((tmp_path / "sqs" / "2012-11-05" / "service-2.json").read_text())
    assert service["operations"]["SendMessage"]["documentation"] == ""
    (aws, *_) = json.loads((tmp_path / "endpoints.json").read_text())["partitions"]
    assert aws["services"].keys() == {"s3", "sqs"}


def test_a_client_is_made_from_what_ships_as_from_what_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    _copy_botocore_data(tmp_path, "s3")
    before = _client_facts(tmp_path)

    strip_botocore_data(tmp_path)

    assert _client_facts(tmp_path) == before


def _copy_botocore_data(target: Path, *services: str) -> None:
    """botocore's own descriptions of some services, and what goes with all."""
    data = Path(botocore.__file__).parent / "data"
    for service in services:
        shutil.copytree(data / service, target / service)
    for file in data.glob("*.json"):
        shutil.copy(file, target)


def _client_facts(data: Path) -> list[str]:
    session = Session()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    client = session.create_client("s3", region_name="eu-west-1")
    link = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
    return [link.split("?")[0], client.meta.endpoint_url, *dir(client)]


# MERGED: What ships to AWS is built for Lambda, whatever machine builds it. Fetches wheels on its first run.

LINUX = b"\x7fELF"
X86_64 = b"\x3e\x00"
MACHINE = slice(18, 20)


@pytest.fixture(scope="module")
def aws_package() -> Path:
    return package("aws")


def test_every_library_is_for_linux_on_x86_64(aws_package: Path):
    libraries = list((aws_package / "layers" / "runtime").rglob("*.so*"))

    heads = {path.name: path.read_bytes()[:20] for path in libraries}
    assert len(heads) > 20
    assert [
        name for name, head in heads.items() if not head.startswith(LINUX) or head[MACHINE] != X86_64
    ] == []


def test_every_extension_is_for_the_runtime_that_the_template_names(aws_package: Path):
    template = json.loads((aws_package / "sam.json").read_text())
    tagged = {path.name for path in (aws_package / "layers" / "runtime").rglob("*.cpython-*.so")}

    assert template["Resources"]["Live"]["Properties"]["Runtime"] == "python3.13"
    assert [name for name in tagged if ".cpython-313-x86_64-linux-gnu" not in name] == []
    assert any(name.startswith("onnxruntime_pybind11_state") for name in tagged)


# MERGED: What was left out of the layers and zips is really not needed: run from them, and from nothing else.

ROOT = Path(__file__).resolve().parents[2]

_INFERENCE_PROGRAM = """
import sys
import numpy as np, onnxruntime, PIL.Image, PIL.ImageOps
session = onnxruntime.InferenceSession(sys.argv[1])
(doubled,) = session.run(None, {"x": np.full((1, 3), 2, np.float32)})
assert doubled.tolist() == [[4, 4, 4]], doubled
rng = np.random.default_rng(0)
np.linalg.svd(rng.random((4, 4)))
picture = PIL.Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
for suffix in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
    import io
    held = io.BytesIO()
    picture.save(held, suffix)
    PIL.Image.open(held).load()
"""

_CLIENTS_PROGRAM = """
import sys, boto3
for service in sys.argv[1:]:
    boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
"""


def test_the_runtime_layer_infers_and_decodes_by_itself(packaged: Path, tmp_path: Path):
    model = tmp_path / "double.onnx"
    _save_doubling(model)

    _run_isolated([packaged / "layers" / "runtime" / "python"], _INFERENCE_PROGRAM, str(model))


def test_the_function_zip_knows_every_service_that_functions_may_use(task: Path):
    _run_isolated([task], _CLIENTS_PROGRAM, *SERVICES)


def test_functions_use_no_service_whose_model_is_not_packaged():
    folders = [ROOT / "functions", ROOT / "layers" / "cloud"]
    named = {name for room in folders for path in room.rglob("*.py") for name in _services_used(path)}

    assert named - set(SERVICES) == set(), "add it to SERVICES in infra/package/dependencies.py"


@pytest.mark.parametrize(
    "function", ["Live", "Bulk", "Publish", "Enrol", "APIHandler", "Authorizer", "Predict", "Erase"]
)
def test_each_handler_imports_from_its_own_zip_and_layers(
    packaged: Path, task: Path, template: Template, function: str
):
    properties = resources_of_type(template, "AWS::Serverless::Function")[function]
    named = [layer["Ref"].removesuffix("Layer").lower() for layer in properties.get("Layers", ())]
    layers = [packaged / "layers" / name / "python" for name in named]
    module, name = properties["Handler"].rsplit(".", 1)

    _run_isolated([task, *layers], f"import {module} as module; assert callable(module.{name})")


def test_every_pin_that_ships_is_a_pin_that_is_tested():
    pinned = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")

    for name in {name for part in (FUNCTION_PACKAGES, *LAYERS) for name in part.packages}:
        assert f"\n{name.lower().replace('_', '-')}==" in f"\n{pinned}"


def _run_isolated(path: list[Path], program: str, *arguments: str) -> None:
    """Run a program on the standard library and these folders; nothing that this machine has beside them."""
    words = [sys.executable, "-S", "-W", "error", "-c", program, *arguments]
    environment = {"PYTHONPATH": ":".join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, answer.stderr


def _save_doubling(path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def _services_used(path: Path) -> set[str]:
    """Names in `….client("s3")` and `….resource("dynamodb")`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in {"client", "resource"}]
    return {str(c.args[0].value) for c in named if c.args and isinstance(c.args[0], ast.Constant)}
