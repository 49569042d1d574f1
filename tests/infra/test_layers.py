"""What was left out of the layers and zips is really not needed: run from them, and from nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from infra.package.contents import LAYERS, LIGHT, SERVICES
from tests.infra.conftest import Template, of_type

ROOT = Path(__file__).resolve().parents[2]

_INFER = """
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

_CLIENTS = """
import sys, boto3
for service in sys.argv[1:]:
    boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
"""


def test_the_runtime_layer_infers_and_decodes_by_itself(packaged: Path, tmp_path: Path):
    model = tmp_path / "double.onnx"
    _save_doubling(model)

    _alone([packaged / "layers" / "runtime" / "python"], _INFER, str(model))


def test_the_function_zip_knows_every_service_that_functions_may_use(task: Path):
    _alone([task], _CLIENTS, *SERVICES)


def test_functions_use_no_service_whose_description_was_left_out():
    rooms = [ROOT / "functions", ROOT / "layers" / "cloud"]
    named = {name for room in rooms for path in room.rglob("*.py") for name in _services(path)}

    assert named - set(SERVICES) == set(), "add it to SERVICES in infra/package/contents.py"


@pytest.mark.parametrize(
    "function", ["Live", "Bulk", "Publish", "Enrol", "APIHandler", "Authorizer", "Predict", "Erase"]
)
def test_each_handler_imports_from_its_own_zip_and_layers(
    packaged: Path, task: Path, template: Template, function: str
):
    properties = of_type(template, "AWS::Serverless::Function")[function]
    named = [layer["Ref"].removesuffix("Layer").lower() for layer in properties.get("Layers", ())]
    layers = [packaged / "layers" / name / "python" for name in named]
    module, name = properties["Handler"].rsplit(".", 1)

    _alone([task, *layers], f"import {module} as module; assert callable(module.{name})")


def test_every_pin_that_ships_is_a_pin_that_is_tested():
    pinned = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")

    for name in {name for part in (LIGHT, *LAYERS) for name in part.packages}:
        assert f"\n{name.lower().replace('_', '-')}==" in f"\n{pinned}"


def _alone(path: list[Path], program: str, *arguments: str) -> None:
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


def _services(path: Path) -> set[str]:
    """Names in `….client("s3")` and `….resource("dynamodb")`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in {"client", "resource"}]
    return {str(c.args[0].value) for c in named if c.args and isinstance(c.args[0], ast.Constant)}
