"""What ships of third-party packages is complete and built for Lambda."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import onnx
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.session import Session
from onnx import TensorProto, helper

from infra.lock_file import LOCK_PATH, NotLocked, locked_requirements, version_of
from infra.package import package
from infra.package.dependencies import FUNCTION_PACKAGES, LAYERS, OPERATIONS, strip_botocore_data
from tests.infra.conftest import Template, resources_of_type


def test_service_models_ship_uncompressed_and_without_documentation(tmp_path: Path):
    _copy_botocore_data(tmp_path, "s3", "sqs")

    strip_botocore_data(tmp_path)

    assert not list(tmp_path.glob("**/*.gz"))
    service = json.loads((tmp_path / "sqs" / "2012-11-05" / "service-2.json").read_text())
    assert service["operations"]["SendMessage"]["documentation"] == ""
    (aws, *_) = json.loads((tmp_path / "endpoints.json").read_text())["partitions"]
    assert aws["services"].keys() == {"s3", "sqs"}


def test_a_client_of_the_packaged_service_models_equals_one_of_botocores_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    _copy_botocore_data(tmp_path, "s3")
    before = _client_facts(tmp_path)

    strip_botocore_data(tmp_path)

    assert _client_facts(tmp_path) == before


def _copy_botocore_data(target: Path, *services: str) -> None:
    """Copy botocore's models of some services, and the files that all services need."""
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
    form = client.generate_presigned_post("bucket", "k")["url"]
    methods = [xform_name(name) for name in OPERATIONS["s3"]]
    return [
        link.split("?")[0],
        form,
        client.meta.endpoint_url,
        *(name for name in methods if hasattr(client, name)),
    ]


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


def test_the_runtime_layer_alone_can_infer_and_decode(packaged: Path, tmp_path: Path):
    model = tmp_path / "double.onnx"
    _save_doubling(model)

    _run_isolated([packaged / "layers" / "runtime" / "python"], _INFERENCE_PROGRAM, str(model))


def test_the_function_zip_can_create_a_client_of_every_service(task: Path):
    _run_isolated([task], _CLIENTS_PROGRAM, *OPERATIONS)


def test_the_packaged_service_models_are_those_that_functions_create_clients_of():
    folders = [ROOT / "functions", ROOT / "layers"]
    used = {name for folder in folders for path in folder.rglob("*.py") for name in _services_used(path)}

    assert used == set(OPERATIONS), "OPERATIONS in infra/package/dependencies.py"


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


LOCKS = [ROOT / name for name in (LOCK_PATH, "requirements-scan.lock", "requirements-mutation.lock")] + [
    ROOT / "models" / "training" / f"{name}.lock" for name in ("requirements", "torch")
]


def test_every_package_that_ships_has_the_pin_that_is_tested_and_hashes():
    names = {name for part in (FUNCTION_PACKAGES, *LAYERS) for name in part.packages}

    for entry in locked_requirements(ROOT / LOCK_PATH, names):
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_a_version_and_hashes(lock: Path):
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())

    assert all(re.match(r"[a-z0-9.-]+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def test_the_lock_has_every_pin():
    """Else run `make lock`."""
    pins = [line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]

    entries = locked_requirements(ROOT / LOCK_PATH, [pin.partition("==")[0] for pin in pins])

    assert [version_of(entry).partition("==")[2] for entry in entries] == [
        pin.partition("==")[2] for pin in pins
    ]


def test_a_package_that_is_not_locked_is_named(tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("boto3==1.0 \\\n    --hash=sha256:00\n")

    with pytest.raises(NotLocked, match="no entry for aws-lambda-powertools; run `make lock`"):
        locked_requirements(lock, ["boto3", "aws_lambda_powertools"])


def test_a_marker_is_no_part_of_an_entry(tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "a==1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\nb_c==2 \\\n    --hash=sha256:11\n"
    )

    assert locked_requirements(lock, ["B.c", "a"]) == [
        "b_c==2 \\\n    --hash=sha256:11",
        "a==1 \\\n    --hash=sha256:00",
    ]


def _run_isolated(path: list[Path], program: str, *arguments: str) -> None:
    """Run a program that can import only the standard library and these folders."""
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
    """The services in calls such as `self.clients.get("s3")`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="get", value=ast.Attribute(attr="clients") | ast.Name(id="clients")),
                args=[ast.Constant(value=str(service)), *_],
            ):
                names.add(service)
    return names
