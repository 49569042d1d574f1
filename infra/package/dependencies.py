"""The third-party packages of the function zip and the layers, and their installation."""

import gzip
import json
import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from infra.package.artifacts import compile_folder, list_files, run_program
from infra.package.targets import PackagingError, Target

_EXCLUDED_FILES = (
    "__pycache__/*",
    "*/__pycache__/*",
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "*.pyx",
    "*.h",
    "*.a",
    "bin/*",
    "*.dist-info/INSTALLER",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
)
"""Files for compilers, type checkers and pip only. Licences ship."""

OPERATIONS = {
    "cloudwatch": ("DescribeAlarms", "GetMetricData"),
    "dynamodb": (
        *("BatchGetItem", "BatchWriteItem", "DeleteItem", "DescribeEndpoints", "GetItem", "PutItem", "Query"),
        *("Scan", "TransactWriteItems", "UpdateItem"),
    ),
    "kms": ("GenerateMac", "VerifyMac"),
    "lambda": ("Invoke", "ListEventSourceMappings", "UpdateEventSourceMapping"),
    "s3": (
        *("CreateBucket", "CreateSession", "DeleteObject", "GetObject", "HeadBucket", "HeadObject"),
        *("ListObjectVersions", "ListObjectsV2", "PutObject"),
    ),
    "sagemaker": ("CreateTrainingJob", "DescribeTrainingJob"),
    "sns": (
        *("GetSubscriptionAttributes", "ListSubscriptionsByTopic", "Publish", "PublishBatch", "Subscribe"),
        "Unsubscribe",
    ),
    "sqs": (
        *("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage"),
        "SendMessageBatch",
    ),
}
"""What functions call, and what botocore reads by itself (CreateBucket for forms, HeadBucket, ...).

Only these descriptions ship: reading all of a service's takes a third of the time of creating a client.
"""

_SHIPPED_DATA = ("service-2.json.gz", "service-2.sdk-extras.json", "endpoint-rule-set-1.json.gz")
"""Files of a service's description; paginators, waiters and examples are not used."""


ANSWERED_SERVICE_MODEL = "rekognition/2016-06-27/service-2.json"
"""The model of the service whose protocol the API answers: requests are validated by it."""


@dataclass(frozen=True, slots=True)
class PackagePart:
    """Packages that ship together.

    packages    distribution names; requirements.lock has their versions and hashes. Each is listed, because
                a package declares more dependencies than it imports at run time
    exclude     glob patterns on paths below site-packages (`*` also matches slashes)
    mounted_at  the folder on Lambda, which tracebacks show
    """

    name: str
    packages: tuple[str, ...]
    exclude: tuple[str, ...]
    mounted_at: str

    def includes(self, path: str) -> bool:
        """Whether the file at this path below site-packages ships."""
        if any(fnmatch(path, pattern) for pattern in (*_EXCLUDED_FILES, *self.exclude)):
            return False
        return not path.startswith("botocore/data/") or _includes_botocore_data(
            path.removeprefix("botocore/data/")
        )


FUNCTION_PACKAGES = PackagePart(
    "packages",
    packages=(
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "jmespath",
        "msgspec",
        "python-dateutil",
        "s3transfer",
        "six",
        "typing_extensions",
        "urllib3",
    ),
    exclude=("boto3/examples/*", "boto3/data/*"),
    mounted_at="/var/task",
)

RUNTIME_LAYER = PackagePart(
    "runtime",
    # onnxruntime also declares flatbuffers, packaging and protobuf, which only its tools import, and
    # tokenizers the client of a model hub, which only its downloads import
    packages=("cffi", "numpy", "onnxruntime", "pillow", "soundfile", "soxr", "tokenizers"),
    exclude=(
        "numpy/distutils/*",
        "numpy/f2py/*",
        "numpy/random/_examples/*",
        "onnxruntime/backend/*",
        "onnxruntime/datasets/*",
        "onnxruntime/quantization/*",
        "onnxruntime/tools/*",
        "onnxruntime/transformers/*",
        # a second copy of the library for C programs; the Python module contains its own
        "onnxruntime/capi/libonnxruntime.so*",
    ),
    mounted_at="/opt/python",
)

AUTH_LAYER = PackagePart(
    "auth", packages=("cffi", "cryptography", "PyJWT"), exclude=(), mounted_at="/opt/python"
)

API_LAYER = PackagePart(
    "api",
    packages=("annotated-types", "pydantic", "pydantic_core", "typing-inspection", "typing_extensions"),
    exclude=("pydantic/v1/*", "pydantic/mypy.py"),
    mounted_at="/opt/python",
)

VIDEO_LAYER = PackagePart(
    "video",
    # without onnxruntime, beside which PyAV exceeds Lambda's limit; its wheel serves Python 3.11 and later
    packages=("av", "numpy", "pillow"),
    exclude=("av/include/*", "numpy/distutils/*", "numpy/f2py/*", "numpy/random/_examples/*"),
    mounted_at="/opt/python",
)

LAYERS = (RUNTIME_LAYER, AUTH_LAYER, API_LAYER, VIDEO_LAYER)
"""Each is a Lambda layer, used only by the functions that need it."""


def _includes_botocore_data(path: str) -> bool:
    if path.removesuffix(".gz") == ANSWERED_SERVICE_MODEL:
        return True
    service, slash, rest = path.partition("/")
    return not slash or (service in OPERATIONS and rest.split("/")[-1] in _SHIPPED_DATA)


def strip_botocore_data(data: Path) -> None:
    """Unpack the newest descriptions, without documentation, unused operations and unused endpoints."""
    for folder in data.glob("*/"):
        for older in sorted(folder.glob("*/"))[:-1]:
            shutil.rmtree(older)
    compressed = sorted(data.glob("*/*/*.json.gz"))
    descriptions = [json.loads(gzip.decompress(path.read_bytes())) for path in compressed]
    for path, description in zip(compressed, descriptions, strict=True):
        service = path.parents[1].name
        if "operations" in description and service in OPERATIONS:
            description = _with_operations(description, OPERATIONS[service])  # noqa: PLW2901
        _write_json(path.with_suffix(""), _without_documentation(description))
        path.unlink()
    endpoint_prefixes = {
        one["metadata"]["endpointPrefix"]
        for one in descriptions
        if "endpointPrefix" in one.get("metadata", {})
    }
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: one for name, one in partition["services"].items() if name in endpoint_prefixes
        }
    _write_json(data / "endpoints.json", endpoints)


def _with_operations(description: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Keep these operations and the shapes that they reach. Raises PackagingError for an unknown one."""
    missing = set(names) - description["operations"].keys()
    if missing:
        service = description["metadata"]["serviceId"]
        raise PackagingError(f"botocore describes no operation {', '.join(sorted(missing))} of {service}.")
    operations = {name: one for name, one in description["operations"].items() if name in names}
    shapes, pending = {}, _named_shapes(operations)
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = description["shapes"][name]
            pending |= _named_shapes(shapes[name])
    return {**description, "operations": operations, "shapes": shapes}


def _named_shapes(node: Any) -> set[str]:
    """The names of the shapes that a part of a description refers to."""
    match node:
        case dict():
            own = {node["shape"]} if isinstance(node.get("shape"), str) else set()
            return own.union(*map(_named_shapes, node.values()))
        case list():
            return set().union(*map(_named_shapes, node))
    return set()


def _without_documentation(node: Any) -> Any:
    """Empty the documentation texts; the keys stay, because botocore requires some of them."""
    match node:
        case {"documentation": str(), **others}:
            return {"documentation": "", **_without_documentation(others)}
        case dict():
            return {name: _without_documentation(one) for name, one in node.items()}
        case list():
            return [_without_documentation(one) for one in node]
    return node


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")))


def install_part(part: PackagePart, target: Target, requirements: list[str], target_folder: Path) -> None:
    """Install a part into a folder, without excluded files, and compile it if possible."""
    downloaded = target_folder.with_name(f"{target_folder.name}-fetched")
    _pip_install(target, requirements, downloaded)
    for path in list_files(downloaded):
        name = path.relative_to(downloaded).as_posix()
        if part.includes(name):
            (target_folder / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(target_folder / name)
    shutil.rmtree(downloaded)
    if (target_folder / "botocore").is_dir():
        strip_botocore_data(target_folder / "botocore" / "data")
    compile_folder(target_folder, target, part.mounted_at)


def _pip_install(target: Target, requirements: list[str], folder: Path) -> None:
    """Install wheels only: another platform's sources cannot be built here. Only files with a locked hash."""
    listed = folder.with_name(f"{folder.name}.txt")
    listed.write_text("\n".join(requirements))
    install = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile", "--require-hashes"]
    command = [*install, "--target", str(folder), "-r", str(listed)]
    if target.platforms:
        tags = [word for tag in target.platforms for word in ("--platform", tag)]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *tags]
    run_program(command, failure=f"The packages for {target.name} could not be downloaded:")
    listed.unlink()
